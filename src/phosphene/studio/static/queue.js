// Queue: what runs, what waits and in which order, and what did not come to its end.

import { html, useState } from "./vendor/preact-htm.js";
import { ask } from "./server.js";
import { attempt, restore, show, useStudio } from "./store.js";
import { clock } from "./make.js";

const act = (id, what, body) => attempt(() => ask("POST", `jobs/${id}/${what}`, body));

export function Queue() {
  const studio = useStudio();
  const [dragged, drag] = useState(null);
  const jobs = [...studio.jobs.values()];
  const active = jobs.filter((job) => ["waiting", "running"].includes(job.state))
    .sort((a, b) => (b.state === "running") - (a.state === "running") || a.rank - b.rank);
  const ended = jobs.filter((job) => ["failed", "cancelled"].includes(job.state)).sort((a, b) => (b.finished ?? 0) - (a.finished ?? 0));
  const waiting = active.filter((job) => job.state === "waiting");
  return html`<main class="list">
    <div class="row"><h2 class="space">${active.length ? `${active.length} ${active.length === 1 ? "job" : "jobs"}` : "Nothing is waiting"}</h2>
      <button aria-pressed=${studio.paused} onClick=${() => attempt(() => ask("PUT", "queue", { paused: !studio.paused }))}>
        ${studio.paused ? "Go on" : "Pause"}</button></div>
    ${studio.paused && html`<p class="soft">The queue is paused: what was running goes on from where it was.</p>`}
    <ol class="jobs">${active.map((job) => {
      const at = waiting.indexOf(job);
      return html`<li class=${`job ${dragged === job.id ? "dragged" : ""}`} key=${job.id} data-id=${job.id} draggable=${job.state === "waiting"}
          onDragStart=${() => drag(job.id)} onDragEnd=${() => drag(null)}
          onDragOver=${(e) => dragged && e.preventDefault()}
          onDrop=${(e) => { e.preventDefault(); if (dragged && dragged !== job.id) act(dragged, "move", { before: job.id }); }}>
        <${Look} studio=${studio} job=${job} />
        <div><p class="title">${job.title}</p>
          <p class="small soft">${job.kind}, ${job.state === "running" ? job.stage : job.progress > 0 ? `waiting at ${Math.round(job.progress * 100)} %` : "waiting"}${
            job.state === "running" && job.seconds_left > 1 ? `, about ${clock(job.seconds_left)} left` : ""}</p>
          ${job.state === "running" && html`<div class="bar" role="progressbar" aria-label=${`Progress of ${job.title}`} aria-valuemin="0" aria-valuemax="100"
            aria-valuenow=${Math.round(job.progress * 100)}><i style=${{ width: `${job.progress * 100}%` }}></i></div>`}</div>
        <div class="buttons">
          ${at > 0 && html`<button aria-label=${`Move ${job.title} up`} onClick=${() => act(job.id, "move", { before: waiting[at - 1].id })}>↑</button>`}
          ${at >= 0 && at < waiting.length - 1 && html`<button aria-label=${`Move ${job.title} down`}
            onClick=${() => act(job.id, "move", { before: waiting[at + 2]?.id ?? null })}>↓</button>`}
          ${at >= 0 && html`<button onClick=${() => act(job.id, "first")}>Now</button>`}
          <button onClick=${() => act(job.id, "cancel")}>Cancel</button></div></li>`;
    })}</ol>
    ${ended.length > 0 && html`<h2>Not finished</h2><ol class="jobs">${ended.map((job) => html`<li class="job" key=${job.id} data-id=${job.id}>
      <${Look} studio=${studio} job=${job} />
      <div><p class="title">${job.title}</p><p class="small soft">${job.kind}, ${job.state} at ${Math.round(job.progress * 100)} %</p>
        ${job.error && html`<p class="error">${job.error}</p>`}</div>
      <div class="buttons"><button onClick=${() => act(job.id, "retry")}>Go on</button>
        <button onClick=${() => edited(job.id)}>Change</button>
        <button onClick=${() => attempt(() => ask("DELETE", `jobs/${job.id}`))}>Remove</button></div></li>`)}</ol>`}
  </main>`;
}

async function edited(id) {
  const found = await attempt(() => ask("GET", `jobs/${id}`));
  if (!found?.form) return;
  restore(found.form);
  show(null);
  location.hash = "#/make";
}

function Look({ studio, job }) {
  const number = studio.previews.get(job.id);
  return number ? html`<img src=${`/api/jobs/${job.id}/preview?number=${number}`} alt="" />` : html`<div class="none"></div>`;
}
