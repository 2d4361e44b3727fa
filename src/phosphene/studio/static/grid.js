// Grids: the same work with two settings against each other.

import { html, useEffect, useState } from "./vendor/preact-htm.js";
import { ask } from "./server.js";
import { attempt, show, useStudio } from "./store.js";

const split = (text) => text.split(text.includes(";") ? ";" : ",").map((each) => each.trim()).filter(Boolean);

export function GridForm({ kind, request }) {
  const names = kind.fields.filter((each) => each.name !== "size");
  const [across, setAcross] = useState({ setting: names[0].name, values: "" });
  const [down, setDown] = useState({ setting: "", values: "" });
  const [asked, wait] = useState(false);
  const count = split(across.values).length * (down.setting ? split(down.values).length : 1);
  const go = async () => {
    wait(true);
    const axis = (each) => ({ setting: each.setting, values: split(each.values) });
    const found = await attempt(() => ask("POST", "grids", { job: request(), across: axis(across), down: down.setting ? axis(down) : null }));
    wait(false);
    if (found) location.hash = `#/grid/${found.id}`;
  };
  const axis = (title, now, set, free) => html`<div class="field"><div class="name"><label for=${`grid-${title}`}>${title}</label></div>
    <div class="row tight"><select id=${`grid-${title}`} value=${now.setting} onChange=${(e) => set({ ...now, setting: e.target.value })}>
      ${free && html`<option value="">nothing</option>`}
      ${names.map((each) => html`<option value=${each.name} selected=${each.name === now.setting}>${each.label}</option>`)}</select>
    ${(now.setting || !free) && html`<input type="text" aria-label=${`Values ${title.toLowerCase()}`} placeholder="values, such as 4, 8, 16" value=${now.values}
      onInput=${(e) => set({ ...now, values: e.target.value })} />`}</div></div>`;
  return html`<details class="card"><summary>Grid: settings against each other</summary><div class="fields">
    ${axis("Across", across, setAcross, false)}${axis("Down", down, setDown, true)}
    <p class="help soft small">Commas separate values; semicolons do where a value has commas of its own.</p>
    <button disabled=${!count || asked} onClick=${go}>${count ? `Make ${count} ${count === 1 ? "picture" : "pictures"}` : "Make the grid"}</button></div></details>`;
}

export function Grid() {
  const studio = useStudio();
  const id = location.hash.split("/")[2];
  const [grid, set] = useState(null);
  const [missing, miss] = useState(false);
  useEffect(() => { ask("GET", `grids/${id}`).then(set, () => miss(true)); }, [id, studio.galleryStale]);
  if (missing) return html`<main class="list"><p class="soft">This grid is not here any more.</p></main>`;
  if (!grid) return html`<main class="list"><p class="soft" role="status">Loading the grid…</p></main>`;
  const rows = grid.down?.values ?? [null];
  const said = (axis) => axis.setting.replaceAll("_", " ");
  const all = Object.values(grid.jobs);
  const done = all.filter((job) => job.state === "done").length;
  return html`<main class="gallery">
    <div class="row"><h2 class="space">${grid.title}</h2><span class="soft small" role="status">${done} of ${all.length} done</span>
      ${done > 0 && html`<a class="button" href=${`/api/grids/${id}/file`} download>Download as one picture</a>`}</div>
    <div class="plate"><table><thead><tr>${grid.down && html`<td></td>`}${grid.across.values.map((each) => html`<th scope="col">${said(grid.across)} ${each}</th>`)}</tr></thead>
      <tbody>${rows.map((below, y) => html`<tr key=${y}>${grid.down && html`<th scope="row">${said(grid.down)} ${below}</th>`}
        ${grid.across.values.map((_, x) => html`<td key=${x}><${Cell} studio=${studio} job=${grid.jobs[`${x},${y}`]} /></td>`)}</tr>`)}</tbody></table></div>
    <p class="small soft">A click opens a picture with its settings.</p></main>`;
}

function Cell({ studio, job: known }) {
  if (!known) return html`<div class="none small soft">deleted</div>`;
  const job = { ...known, ...studio.jobs.get(known.id) };
  const number = studio.previews.get(job.id);
  const words = { waiting: "waiting", running: `${Math.round(job.progress * 100)} %`, failed: job.error, cancelled: "cancelled" };
  const url = job.state === "done" ? `/api/jobs/${job.id}/thumb` : number ? `/api/jobs/${job.id}/preview?number=${number}` : null;
  return html`<button onClick=${() => { show(job.id); location.hash = "#/make"; }} aria-label=${`${job.title}, ${job.state}`}>
    ${url ? html`<img src=${url} alt="" />` : html`<div class="none small soft">${words[job.state]}</div>`}</button>`;
}
