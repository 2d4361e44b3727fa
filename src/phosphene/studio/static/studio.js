// The page: its head, the place that the address names, and what it tells.

import { html, render, useEffect, useState } from "./vendor/preact-htm.js";
import { begin, dismiss, tell, useStudio } from "./store.js";
import { Make } from "./make.js";
import { Queue } from "./queue.js";
import { Camera } from "./camera.js";
import { Gallery } from "./gallery.js";
import { Grid } from "./grid.js";
import { paint } from "./theme.js";

const PLACES = { make: ["Make", Make], queue: ["Queue", Queue], gallery: ["Gallery", Gallery], camera: ["Camera", Camera], grid: [null, Grid] };
const place = () => (location.hash.slice(2).split("/")[0] in PLACES ? location.hash.slice(2).split("/")[0] : "make");

function Studio() {
  const studio = useStudio();
  const [here, go] = useState(place());
  const [light, setLight] = useState(paint(localStorage.theme));
  useEffect(() => {
    const moved = () => { go(place()); scrollTo(0, 0); };
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  const turn = () => { localStorage.theme = light ? "dark" : "light"; setLight(paint(localStorage.theme)); };
  const active = [...studio.jobs.values()].filter((job) => ["waiting", "running"].includes(job.state)).length;
  const Here = PLACES[here][1];
  return html`
    ${studio.away && studio.ready && html`<p class="away" role="status">The studio does not answer. What is begun is kept; waiting for it to come back.</p>`}
    <header class="top">
      <h1><img src="static/icon.svg" alt="" /><span>phosphene studio</span></h1>
      <nav aria-label="Pages">
        ${Object.entries(PLACES).filter(([, [title]]) => title).map(([name, [title]]) => html`
          <a key=${name} href=${`#/${name}`} aria-current=${here === name ? "page" : undefined}>${title}${
            name === "queue" && active > 0 && html`<span class="count">${active}<span class="unseen"> jobs</span></span>`}</a>`)}
      </nav>
      <span class="space"></span>
      <button class="plain" onClick=${turn} aria-label=${light ? "Use dark colours" : "Use light colours"}>${light ? "Dark" : "Light"}</button>
    </header>
    ${studio.ready ? html`<${Here} />` : html`<main class="list"><p class="soft" role="status">Loading the networks…</p></main>`}
    <div class="toasts" role="status" aria-live="polite">
      ${studio.toasts.map((toast) => html`
        <div class=${`toast ${toast.bad ? "bad" : ""}`} role=${toast.bad ? "alert" : undefined}>
          <p>${toast.text}</p>
          ${toast.action && html`<button onClick=${() => { dismiss(toast); toast.action(); }}>${toast.label}</button>`}
          <button class="plain" aria-label="Dismiss" onClick=${() => dismiss(toast)}>✕</button>
        </div>`)}
    </div>`;
}

render(html`<${Studio} />`, document.getElementById("studio"));
begin().catch((problem) => tell(problem.message, { bad: true }));
