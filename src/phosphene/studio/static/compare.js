// Two pictures of the same proportions, one over the other, with an edge that moves.

import { html, useState } from "./vendor/preact-htm.js";

export function Compare({ before, after, title }) {
  const [share, move] = useState(50);
  return html`<div class="compare">
    <img src=${before} alt=${`${title}, before`} />
    <img src=${after} alt=${`${title}, after`} style=${{ clipPath: `inset(0 0 0 ${share}%)` }} />
    <i class="edge" style=${{ marginLeft: `calc(${share}% - 1px)` }}></i>
    <input type="range" min="0" max="100" step="0.5" value=${share} aria-label="Compare before and after"
      onInput=${(e) => move(Number(e.target.value))} />
  </div>`;
}
