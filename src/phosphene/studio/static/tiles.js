// Small pictures of what targets look like, made by the server when they are asked for.

import { html, useEffect } from "./vendor/preact-htm.js";
import { ask } from "./server.js";
import { changed, state } from "./store.js";

const name = (net, target) => `${net} ${target}`;

export function useTiles(net, targets) {
  useEffect(() => {
    const missing = targets.filter((each) => !state.tiles.has(name(net, each)));
    if (!missing.length) return;
    ask("POST", "tiles", { net, targets: missing.slice(0, 64) }).then((ready) => {
      for (const [target, key] of Object.entries(ready)) state.tiles.set(name(net, target), key);
      changed();
    }, () => {});
  }, [net, targets.join("\n")]);
}

// `part` is the place of the picture that a tile shows until it is made: its address, and x and y from 0 to 1.
export function Tile({ net, target, title, note, chosen, part, onClick }) {
  const key = state.tiles.get(name(net, target));
  const place = part && { backgroundImage: `url(${part.url})`, backgroundPosition: `${part.x * 100}% ${part.y * 100}%` };
  return html`<button class="tile" aria-pressed=${chosen} onClick=${onClick} title=${`${target}; with Shift it is added`}>
    ${key ? html`<img loading="lazy" src=${`/api/tiles/${key}`} alt="" />` : html`<i class=${part ? "part" : "none"} style=${place}></i>`}
    <span>${title.replace(":", ":\u200b")}</span>${note && html`<small>${note}</small>`}</button>`;
}
