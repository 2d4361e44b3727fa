// Gallery: every result, to search, look at closely, compare, and make again with changes.

import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { ask } from "./server.js";
import { attempt, changed, edit, restore, show, take, tell, useStudio } from "./store.js";
import { Compare } from "./compare.js";
import { Downloads, picture } from "./make.js";
import { Changed } from "./way.js";

const PAGE = 60;

export function Gallery() {
  const studio = useStudio();
  const [search, setSearch] = useState("");
  const [kind, setKind] = useState("");
  const [list, setList] = useState([]);
  const [whole, setWhole] = useState(false);
  const [open, setOpen] = useState(null);
  const [grids, setGrids] = useState([]);
  useEffect(() => { ask("GET", "grids").then((found) => setGrids(found.slice(0, 8)), () => {}); }, []);
  const end = useRef(null);
  const asked = useRef(0);

  const load = async (from) => {
    const mine = ++asked.current;
    const before = from.length ? `&before=${from.at(-1).finished}` : "";
    const found = await attempt(() => ask("GET", `gallery?count=${PAGE}&search=${encodeURIComponent(search)}&kind=${kind}${before}`));
    if (!found || mine !== asked.current) return;
    setList([...from, ...found]);
    setWhole(found.length < PAGE);
  };
  useEffect(() => { const wait = setTimeout(() => load([]), 150); return () => clearTimeout(wait); }, [search, kind, studio.galleryStale]);
  useEffect(() => {
    const watch = new IntersectionObserver(([seen]) => { if (seen.isIntersecting && list.length && !whole) load(list); }, { rootMargin: "800px" });
    if (end.current) watch.observe(end.current);
    return () => watch.disconnect();
  }, [list, whole]);
  useEffect(() => {
    const slash = (e) => { if (e.key === "/" && !/INPUT|TEXTAREA|SELECT/.test(e.target.tagName)) { e.preventDefault(); document.getElementById("search").focus(); } };
    addEventListener("keydown", slash);
    return () => removeEventListener("keydown", slash);
  }, []);

  return html`<main class="gallery">
    <div class="tools">
      <input type="search" id="search" placeholder="Search targets, networks and names" aria-label="Search" value=${search} onInput=${(e) => setSearch(e.target.value)} />
      <select aria-label="Kind of work" value=${kind} onChange=${(e) => setKind(e.target.value)}><option value="">everything</option>
        ${studio.kinds.map((each) => html`<option value=${each.name}>${each.name}</option>`)}</select>
    </div>
    ${grids.length > 0 && html`<div class="row tight"><span class="small soft">Grids</span>${grids.map((each) => html`<a class="button small" key=${each.id}
      href=${`#/grid/${each.id}`} title=${new Date(each.created * 1000).toLocaleString()}>${each.title}</a>`)}</div>`}
    ${list.length === 0 && html`<p class="soft">${search || kind ? "No result matches." : "Results appear here."}</p>`}
    <ul class="grid">${list.map((job, index) => html`<li key=${job.id}><button data-id=${job.id} onClick=${() => setOpen(index)}>
      <img loading="lazy" src=${`/api/jobs/${job.id}/thumb`} alt="" /><span>${job.title}</span></button></li>`)}</ul>
    <div ref=${end}></div>
    ${open !== null && list[open] && html`<${Viewer} key=${list[open].id} job=${list[open]} close=${() => setOpen(null)}
      go=${(by) => list[open + by] && setOpen(open + by)} />`}
  </main>`;
}

function Viewer({ job, close, go }) {
  const dialog = useRef(null);
  const [whole, setWhole] = useState(null);
  const [way, setWay] = useState("look");
  const [index, setIndex] = useState(0);
  useEffect(() => {
    dialog.current.showModal();
    ask("GET", `jobs/${job.id}`).then(setWhole, () => {});
  }, []);
  const film = job.output.endsWith(".mp4");
  const file = `/api/jobs/${job.id}/file?index=${index}`;
  const source = whole?.form?.source;
  const keys = (event) => {
    if (event.target.tagName === "INPUT") return;
    if (event.key === "ArrowLeft") go(-1);
    if (event.key === "ArrowRight") go(1);
    if (event.key === "Delete") remove(job, close);
  };
  return html`<dialog ref=${dialog} onClose=${close} onKeyDown=${keys} aria-label=${job.title}>
    <div class="viewer">
      <div class="view">
        ${film ? html`<video src=${file} controls loop autoplay muted></video>`
          : way === "compare" && source ? html`<${Compare} before=${picture(source)} after=${file} title=${job.title} />`
          : way === "zoom" ? html`<${DeepZoom} file=${file} />`
          : html`<img src=${file} alt=${job.title} />`}
      </div>
      <aside>
        <div class="row"><h2 class="space">${job.title}</h2><button class="plain" onClick=${() => dialog.current.close()} aria-label="Close">✕</button></div>
        <p class="small soft">${job.kind}, ${job.width} × ${job.height}${job.net && `, ${job.net}`}, ${new Date(job.finished * 1000).toLocaleString()}</p>
        ${job.files.length > 1 && html`<div class="chips">${job.files.map((_, i) => html`<button aria-pressed=${i === index} onClick=${() => setIndex(i)}>${i + 1}</button>`)}</div>`}
        ${!film && html`<div class="row">
          <button aria-pressed=${way === "zoom"} onClick=${() => setWay(way === "zoom" ? "look" : "zoom")}>Zoom</button>
          ${source && html`<button aria-pressed=${way === "compare"} onClick=${() => setWay(way === "compare" ? "look" : "compare")}>Compare</button>`}</div>`}
        <div class="row">
          <button class="main" disabled=${!whole?.form} onClick=${() => { restore(whole.form); edit({ parent: job.id, parentStep: null }); show(job.id); location.hash = "#/make"; }}>Again with…</button>
          ${!film && html`<button onClick=${() => use(job)}>Dream on from this</button>`}
          ${job.files.length > 1 ? html`<a class="button" href=${`${file}&download=true`} download>Download</a>` : html`<${Downloads} job=${job} />`}
          <button onClick=${() => remove(job, close)}>Delete</button></div>
        <${Changed} job=${job} />
        <details><summary>Recipe</summary><pre tabindex="0">${whole ? JSON.stringify(whole.recipe, null, 1) : ""}</pre></details>
        <p class="small soft">Arrow keys go to the next and the last one, Delete deletes, Escape closes.</p>
      </aside>
    </div></dialog>`;
}

async function remove(job, close) {
  close();
  const done = await attempt(() => ask("DELETE", `jobs/${job.id}`).then(() => true));
  if (done) tell(`${job.files[0]} is deleted.`, { label: "Undo", action: () => attempt(() => ask("POST", `jobs/${job.id}/restore`)) });
}

async function use(job) {
  const found = await attempt(() => ask("POST", `jobs/${job.id}/source`));
  if (!found) return;
  edit({ ...take(found.source), kind: "dream" });
  show(null);
  changed();
  location.hash = "#/make";
}

function DeepZoom({ file }) {
  const place = useRef(null);
  useEffect(() => {
    let viewer = null, gone = false;
    library().then((OpenSeadragon) => {
      if (gone) return;
      viewer = OpenSeadragon({
        element: place.current, tileSources: { type: "image", url: file }, showNavigationControl: false, drawer: "canvas",
        maxZoomPixelRatio: 8, animationTime: 0.4, gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
      });
    }, () => tell("Deep zoom could not be loaded.", { bad: true }));
    return () => { gone = true; viewer?.destroy(); };
  }, [file]);
  return html`<div class="zoom" ref=${place} aria-label="Zoom with the wheel, two fingers, or plus and minus"></div>`;
}

let loading = null;
function library() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "/static/vendor/openseadragon.min.js";
    script.onload = () => resolve(window.OpenSeadragon);
    script.onerror = reject;
    document.head.append(script);
  });
  return loading;
}
