// Gallery: every result, to search, look at closely, compare, and make again with changes.

import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { ask } from "./server.js";
import { attempt, changed, edit, restore, show, take, tell, useStudio } from "./store.js";
import { Compare } from "./compare.js";
import { Downloads, picture } from "./make.js";
import { Changed } from "./way.js";

const PAGE = 60, SPARE = 2;  // results that are asked for at once, and rows that are drawn above and below what is seen
const GAP = 12, TITLE = 40, NARROW = 700;  // pixels

// How many results stand in a row of this width, and how high a row is.
function measured(width) {
  const least = innerWidth < NARROW ? 150 : 200;
  const columns = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
  return { columns, row: Math.round((((width - GAP * (columns - 1)) / columns) * 3) / 4) + TITLE + GAP };
}

export function Gallery() {
  const studio = useStudio();
  const [search, setSearch] = useState("");
  const [kind, setKind] = useState("");
  const { list, count, ask: want } = useResults(search, kind, studio.galleryStale);
  const [open, setOpen] = useState(null);
  const [grids, setGrids] = useState([]);
  useEffect(() => { ask("GET", "grids").then((found) => setGrids(found.slice(0, 8)), () => {}); }, []);
  const place = useRef(null);
  const { columns, row, from, to } = useWindow(place, count);
  useEffect(() => want(from, to), [from, to, list]);
  useEffect(() => { if (open !== null) want(open, open + 2); }, [open]);
  useEffect(() => {
    const slash = (e) => { if (e.key === "/" && !/INPUT|TEXTAREA|SELECT/.test(e.target.tagName)) { e.preventDefault(); document.getElementById("search").focus(); } };
    addEventListener("keydown", slash);
    return () => removeEventListener("keydown", slash);
  }, []);

  return html`<main class="gallery">
    <div class="tools">
      <input type="search" id="search" placeholder="Search targets, networks, names and dates" aria-label="Search" value=${search} onInput=${(e) => setSearch(e.target.value)} />
      <select aria-label="Kind of work" value=${kind} onChange=${(e) => setKind(e.target.value)}><option value="">everything</option>
        ${studio.kinds.map((each) => html`<option value=${each.name}>${each.name}</option>`)}</select>
    </div>
    ${grids.length > 0 && html`<div class="row tight"><span class="small soft">Grids</span>${grids.map((each) => html`<a class="button small" key=${each.id}
      href=${`#/grid/${each.id}`} title=${new Date(each.created * 1000).toLocaleString()}>${each.title}</a>`)}</div>`}
    ${count === 0 && html`<p class="soft">${search || kind ? "No result matches." : "Results appear here."}</p>`}
    <ul class="grid" ref=${place} style=${{ gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`, minHeight: `${Math.ceil((count ?? 0) / columns) * row}px`, paddingTop: `${Math.floor(from / columns) * row}px` }}>
      ${Array.from({ length: to - from }, (_, i) => from + i).map((index) => {
        const job = list.get(index);
        return html`<li key=${job?.id ?? index} aria-setsize=${count} aria-posinset=${index + 1} style=${{ height: `${row - GAP}px` }}>${job ? html`<button data-id=${job.id} onClick=${() => setOpen(index)}>
          <img src=${`/api/jobs/${job.id}/thumb`} alt="" /><span>${job.title}</span></button>` : html`<div class="none"></div>`}</li>`;
      })}</ul>
    ${open !== null && list.get(open) && html`<${Viewer} key=${list.get(open).id} job=${list.get(open)} close=${() => setOpen(null)}
      go=${(by) => list.get(open + by) && setOpen(open + by)} />`}
  </main>`;
}

// The results by their place, as far as they were asked for, and how many there are.
function useResults(search, kind, stale) {
  const [found, set] = useState({ list: new Map(), count: null });
  const asked = useRef({ pages: new Set(), run: 0, list: new Map() });
  const query = `search=${encodeURIComponent(search)}&kind=${kind}`;
  const load = async (page, run) => {
    asked.current.pages.add(page);
    const part = await attempt(() => ask("GET", `gallery?count=${PAGE}&skip=${page * PAGE}&${query}`));
    if (run !== asked.current.run) return;
    if (!part) { asked.current.pages.delete(page); return; }
    part.forEach((job, i) => asked.current.list.set(page * PAGE + i, job));
    set((now) => ({ ...now, list: new Map(asked.current.list) }));
  };
  useEffect(() => {
    const wait = setTimeout(async () => {
      const seen = [...asked.current.pages];
      const run = asked.current.run + 1;
      asked.current = { pages: new Set(), run, list: new Map() };
      const count = await attempt(() => ask("GET", `gallery/size?${query}`));
      if (count === null || run !== asked.current.run) return;
      await Promise.all((seen.length && count ? seen.slice(-3) : [0]).filter((page) => page * PAGE < Math.max(1, count)).map((page) => load(page, run)));
      if (run === asked.current.run) set({ list: new Map(asked.current.list), count });
    }, 150);
    return () => clearTimeout(wait);
  }, [query, stale]);
  const want = (from, to) => {
    if (found.count === null) return;
    for (let page = Math.floor(from / PAGE); page * PAGE < Math.min(to, found.count); page++)
      if (!asked.current.pages.has(page)) load(page, asked.current.run);
  };
  return { ...found, ask: want };
}

// Which results are to be drawn: those of the rows that are seen, and some above and below.
function useWindow(place, count) {
  const [seen, see] = useState({ width: 0, top: 0, height: 0 });
  useEffect(() => {
    let due = 0;
    const look = () => {
      due = 0;
      const box = place.current?.getBoundingClientRect();
      if (box) see((now) => (now.width === box.width && now.top === -box.top && now.height === innerHeight ? now : { width: box.width, top: -box.top, height: innerHeight }));
    };
    const soon = () => { due ||= requestAnimationFrame(look); };
    look();
    const watch = new ResizeObserver(soon);
    watch.observe(place.current);
    addEventListener("scroll", soon, { passive: true });
    return () => { cancelAnimationFrame(due); watch.disconnect(); removeEventListener("scroll", soon); };
  }, []);
  const { columns, row } = measured(seen.width || 1);
  const first = Math.max(0, Math.floor(seen.top / row) - SPARE), last = Math.ceil((seen.top + seen.height) / row) + SPARE;
  const all = count ?? 0;
  return { columns, row, from: Math.min(first * columns, Math.floor(Math.max(0, all - 1) / columns) * columns), to: Math.min(all, Math.max(0, last) * columns) };
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
        <p class="small soft">Arrow keys go to the next and the previous result, Delete deletes, Escape closes.</p>
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
