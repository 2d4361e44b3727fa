// The way of a job: the pictures that it came by, to branch from, and the frames of a film, to scrub through.

import { html, useEffect, useState } from "./vendor/preact-htm.js";
import { ask } from "./server.js";
import { attempt, edit, restore, show, state, take, tell } from "./store.js";

export function Way({ job, look, looked }) {
  if (!job?.steps?.length) return null;
  return html`<div class="way" role="group" aria-label="Pictures on the way, to branch from">
    ${job.steps.map((each) => html`<button key=${each.number} aria-pressed=${looked === each.number} title=${each.stage}
      onClick=${() => look(looked === each.number ? null : each.number)}>
      <img src=${`/api/jobs/${job.id}/steps/${each.number}`} alt=${`At ${Math.round(each.progress * 100)} %`} />
      <small>${Math.round(each.progress * 100)} %</small></button>`)}
    ${looked !== null && html`<button class="main" onClick=${() => branch(job, looked).then(() => look(null))}>Branch from here</button>`}
  </div>`;
}

async function branch(job, number) {
  const whole = await attempt(() => ask("GET", `jobs/${job.id}`));
  const found = whole && await attempt(() => ask("POST", `jobs/${job.id}/steps/${number}/source`));
  if (!found) return;
  const mask = state.form.mask ?? whole.form.mask;
  restore(whole.form);
  edit({ source: take(found.source).source, mask, parts: whole.form.parts, noise: null, parent: job.id, parentStep: number });
  show(null);
  tell("Change what you like: the next dream goes on from this step.");
}

const said = (value) => (value === null || value === undefined ? "default" : String(value));

export function Changed({ job }) {
  const [whole, set] = useState(null);
  useEffect(() => {
    set(null);
    if (job?.parent) ask("GET", `jobs/${job.id}`).then(set, () => {});
  }, [job?.id]);
  if (!whole?.parent_title) return null;
  return html`<details class="changed" open><summary>${whole.parent_step ? `Branched from “${whole.parent_title}” at step ${whole.parent_step}` : `Made again from “${whole.parent_title}”`}</summary>
    ${whole.changed.length ? html`<table><tbody>${whole.changed.map((each) => html`<tr><th scope="row">${each.setting.replaceAll("_", " ")}</th>
      <td><del>${said(each.before)}</del></td><td>${said(each.after)}</td></tr>`)}</tbody></table>` : html`<p class="small soft">Nothing was changed.</p>`}</details>`;
}

// A film as far as it is made: follows the newest frame until it is dragged.
export function Scrubber({ job, fps }) {
  const [at, go] = useState(null);
  const count = job.frames || 0;
  if (!count) return null;
  const now = Math.min(at ?? count, count);
  return html`<div class="scrub"><img src=${`/api/jobs/${job.id}/frames/${now}`} alt=${`Frame ${now} of those made so far`} />
    <div class="row"><input type="range" min="1" max=${count} value=${now} aria-label="Frame"
      onInput=${(e) => go(Number(e.target.value) >= count ? null : Number(e.target.value))} />
      <span class="small soft">${at === null ? "newest frame" : "frame"} ${now} of ${count}${fps ? `, ${(now / fps).toFixed(2)} s` : ""}</span></div></div>`;
}
