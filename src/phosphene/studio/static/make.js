// Make: a picture, what to bring out in it, and how; and the work as it goes.

import { html, useEffect, useMemo, useRef, useState } from "./vendor/preact-htm.js";
import { ask, upload } from "./server.js";
import { attempt, edit, EMPTY, fits, kindFor, restore, settingsOf, show, state, take, tell, useStudio } from "./store.js";
import { Compare } from "./compare.js";
import { Field, Text } from "./fields.js";
import { Brush, MaskState, Parts } from "./mask.js";
import { GridForm } from "./grid.js";
import { Tile, useTiles } from "./tiles.js";
import { chosenKeys, readKeys, Timeline, writeKeys } from "./timeline.js";
import { Changed, Scrubber, Way } from "./way.js";

const LIVE_DELAY = 350, NOISE = "512x384";

export const picture = (source, small = false) => `/api/sources/${source.sha256}/picture${small ? "?small=true" : ""}`;

export async function addPicture(file) {
  const found = await attempt(() => upload(file));
  if (!found) return;
  const taken = take(found.source);
  if (!found.recipe) {
    edit(taken);
    show(null);
    return;
  }
  const own = found.grid ? { label: "Open the grid", action: () => { location.hash = `#/grid/${found.grid}`; } }
    : { label: found.source.kind === "clip" ? "Use the film itself" : "Use the picture itself", action: () => { edit({ ...EMPTY, ...taken }); show(null); } };
  restore(found.recipe);
  show(null);
  const missing = found.recipe.missing ? " Its picture is not in the studio: add that too." : "";
  tell(`All settings are those that ${file.name || "it"} was made with.${missing}`, own);
}

// The picture or clip that the work begins with, if it is there.
const begins = (kind, form) => (fits(kind, form.source) && !(kind.source === "photo" && form.noise) ? form.source : null);

function request({ replaces = null, now = false } = {}) {
  const form = state.form;
  const kind = state.kinds.find((each) => each.name === form.kind);
  const settings = Object.fromEntries(Object.entries(settingsOf(form)).filter(([, value]) => value !== undefined));
  const base = form.base?.kind === form.kind ? form.base : null;
  return {
    kind: form.kind, settings, parent: form.parent, parent_step: form.parentStep, preset: base ? null : form.preset, base, now, replaces, go_on: replaces !== null && form.goOn,
    source: begins(kind, form)?.sha256 ?? null,
    noise: kind.source === "photo" ? form.noise : null,
    mask: kind.mask && !form.noise ? form.mask?.sha256 ?? null : null,
    parts: kind.mask && !form.noise ? form.parts.map((each) => ({ target: each.target, mask: each.mask.sha256 })) : [],
    listed: kind.listed ? (form.listed[form.kind] ?? "").split("\n").map((each) => each.trim()).filter(Boolean) : [],
  };
}

async function dream(how) {
  const job = await attempt(() => ask("POST", "jobs", request(how)));
  if (job) show(job.id);  // events tell its state, which may be newer than this answer
}

export function Make() {
  const studio = useStudio();
  const { form, shown } = studio;
  const kind = studio.kinds.find((each) => each.name === form.kind);
  const job = shown ? studio.jobs.get(shown) : null;
  const busy = job && ["waiting", "running"].includes(job.state);
  const live = useRef(0);
  const [looked, look] = useState(null);
  useEffect(() => look(null), [shown]);

  useEffect(() => {
    if (!shown || studio.jobs.has(shown)) return;
    ask("GET", `jobs/${shown}`).then(
      (found) => { if (!studio.jobs.has(found.id)) studio.jobs.set(found.id, found); show(found.id); },
      () => show(null),
    );
  }, [shown]);

  useEffect(() => {
    const pasted = (event) => {
      const file = [...(event.clipboardData?.files ?? [])].find((each) => /^(image|video)\//.test(each.type));
      if (file) addPicture(file);
    };
    const pressed = (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) dream();
      if (event.key === "Escape" && busy) attempt(() => ask("POST", `jobs/${shown}/cancel`));
    };
    addEventListener("paste", pasted);
    addEventListener("keydown", pressed);
    return () => { removeEventListener("paste", pasted); removeEventListener("keydown", pressed); };
  }, [shown, busy]);

  const change = (changes) => {
    edit(changes);
    clearTimeout(live.current);
    if (state.form.live && (begins(kind, state.form) || (kind.source === "photo" && state.form.noise) || !kind.source))
      live.current = setTimeout(() => {
        const running = state.jobs.get(state.shown);
        const replaces = running && ["waiting", "running"].includes(running.state) ? running.id : null;
        dream({ replaces, now: true });
      }, LIVE_DELAY);
  };
  const set = (name, value) => {
    const own = { ...settingsOf(state.form), [name]: value };
    if (value === undefined) delete own[name];
    change({ settings: { ...state.form.settings, [form.kind]: own } });
  };

  const timed = kind.fields.filter((each) => each.keys);

  return html`<main class="make">
    <section class="stage" aria-label="Picture">
      <${Stage} studio=${studio} kind=${kind} job=${job} looked=${looked} />
      <${Progress} job=${job} preview=${studio.previews.get(shown)} />
      <${Way} job=${job} looked=${looked} look=${look} />
      <${Changed} job=${job} />
      <div class="row">
        <button class="main" onClick=${() => dream()} title="Ctrl+Enter">${kind.source ? "Dream" : "Imagine"}</button>
        ${busy && html`<button onClick=${() => attempt(() => ask("POST", `jobs/${shown}/cancel`))} title="Escape">Cancel</button>`}
        ${job && ["cancelled", "failed"].includes(job.state) && html`<button onClick=${() => attempt(() => ask("POST", `jobs/${shown}/retry`))}>Go on</button>`}
        ${job?.state === "done" && html`<${Downloads} job=${job} />`}
        ${job?.state === "done" && !kind.film && html`<button onClick=${() => onward(shown)}>Dream on from this</button>`}
        ${job && html`<button class="plain" onClick=${() => show(null)}>Show the original</button>`}
        <label class="check"><input type="checkbox" checked=${form.live} onChange=${(e) => edit({ live: e.target.checked })} /> Live</label>
        ${form.live && html`<select aria-label="What a change does" value=${form.goOn ? "on" : "again"} style=${{ width: "auto" }}
            onChange=${(e) => edit({ goOn: e.target.value === "on" })}>
          <option value="again" selected=${!form.goOn}>each change begins again</option>
          <option value="on" selected=${form.goOn}>each change goes on from the picture so far</option></select>`}
      </div>
    </section>
    <section class="panel" aria-label="Settings">
      <div class="tabs" role="tablist" aria-label="Kind of work">
        ${studio.kinds.map((each) => html`<button role="tab" key=${each.name} aria-selected=${each.name === form.kind} title=${each.about}
          onClick=${() => edit({ kind: each.name, preset: null, base: null })}>${each.name}</button>`)}
      </div>
      ${form.base?.kind === form.kind && html`<div class="card row"><p class="small soft space">Restored from a recipe; what you do not change stays as it was.</p>
        <button class="plain" onClick=${() => edit({ base: null, settings: { ...form.settings, [form.kind]: {} } })}>Start afresh</button></div>`}
      ${kind.source && html`<${Sources} studio=${studio} change=${change} />`}
      <${Wanted} studio=${studio} kind=${kind} set=${set} change=${change} />
      ${kind.presets.length > 0 && html`<div class="card"><h2>Presets</h2><div class=${`presets ${kind.presets.some((each) => each.picture) ? "pictured" : ""}`}>
        ${kind.presets.map((each) => html`<button key=${each.name} aria-pressed=${form.preset === each.name}
          onClick=${() => change({ preset: form.preset === each.name ? null : each.name, base: null })}>
          ${each.picture && html`<img loading="lazy" src=${`static/${each.picture}`} alt="" />`}
          <strong>${each.name}</strong><small>${each.about}</small></button>`)}</div></div>`}
      ${timed.length > 0 && html`<${Timeline} fields=${timed} target=${netOf(studio, kind).default} values=${settingsOf(form)} seconds=${lengthOf(kind, form)} set=${set} />`}
      <div class="card">
        <h2>Settings</h2>
        <div class="fields">${kind.fields.filter((each) => each.first && each.name !== "target" && !each.keys).map((each) => field(each, studio, set))}</div>
        <details><summary>More settings</summary>
          <div class="fields">${kind.fields.filter((each) => !each.first && !each.keys).map((each) => field(each, studio, set))}</div></details>
      </div>
      ${!kind.film && !kind.listed && html`<${GridForm} key=${form.kind} kind=${kind} request=${request} />`}
    </section>
  </main>`;
}

// How long the film will be, in seconds; keys of a video are on the clip's own clock.
function lengthOf(kind, form) {
  const own = settingsOf(form);
  const source = begins(kind, form);
  if (kind.source === "clip") return Math.round((source?.seconds || 10) * 100) / 100;
  const ideas = (form.listed[form.kind] ?? "").split("\n").filter((each) => each.trim()).length;
  return Number(own.seconds ?? kind.seconds) * (kind.listed ? Math.max(1, own.loop ? ideas : ideas - 1) : 1);
}

function field(each, studio, set) {
  const { form } = studio;
  const kind = studio.kinds.find((one) => one.name === form.kind);
  const net = settingsOf(form).net ?? kind.fields.find((one) => one.name === "net").default;
  const preset = kind.presets.find((one) => one.name === form.preset);
  const suited = { ...kind.suited[net], ...preset?.settings };
  const of = !form.base && each.name in suited ? { ...each, default: suited[each.name] } : each;
  return html`<${Field} key=${`${form.kind}-${each.name}`} field=${of} nets=${studio.nets} value=${settingsOf(form)[each.name]}
    onChange=${(value) => set(each.name, value)} />`;
}

async function onward(id) {
  const found = await attempt(() => ask("POST", `jobs/${id}/source`));
  if (!found) return;
  edit({ ...take(found.source), kind: "dream" });
  show(null);
}

export function Downloads({ job }) {
  const picture = job.files?.length === 1 && job.output.endsWith(".png");
  const link = (href, title, help) => html`<a class="button" href=${href} title=${help} download>${title}</a>`;
  return html`${link(`/api/jobs/${job.id}/file?download=true`, "Download")}
    ${picture && html`${link(`/api/jobs/${job.id}/export?form=layers`, "Layers", "The dream and the photo as layers, in OpenRaster for Krita and GIMP")}
      ${link(`/api/jobs/${job.id}/export?form=tiff`, "16-bit TIFF")}`}`;
}

function Stage({ studio, kind, job, looked }) {
  const { form } = studio;
  const [over, hover] = useState(false);
  const [side, compare] = useState(false);
  const [paints, paint] = useState(false);
  const chooser = useRef(null);
  const drop = (event) => {
    event.preventDefault();
    hover(false);
    const file = event.dataTransfer.files[0];
    if (file) addPicture(file);
  };
  const number = job ? studio.previews.get(job.id) : null;
  const fps = Number(settingsOf(form).fps ?? kind.fields.find((each) => each.name === "fps")?.default ?? 0);
  const result = job && looked !== null ? `/api/jobs/${job.id}/steps/${looked}` : job?.state === "done" ? `/api/jobs/${job.id}/file` : number ? `/api/jobs/${job.id}/preview?number=${number}` : null;
  const film = job?.state === "done" && /\.(mp4|webm|gif)$/.test(job.output);
  const source = begins(kind, form);
  const comparable = source && job?.state === "done" && !film && Math.abs(source.width / source.height - job.width / job.height) < 0.02;
  return html`<div class=${`picture ${over ? "over" : ""}`} onDrop=${drop}
      onDragOver=${(e) => { e.preventDefault(); hover(true); }} onDragLeave=${() => hover(false)}>
    ${paints && source ? html`<img class="source" src=${picture(source)} alt=${source.name} />
        <${Brush} key=${source.sha256} source=${source} mask=${form.mask} target=${settingsOf(form).target} standard=${netOf(studio, kind).default} close=${() => paint(false)} />`
      : film ? html`<video key="film" src=${result} controls loop></video>`
      : job?.frames > 1 && job.state !== "done" ? html`<${Scrubber} key=${job.id} job=${job} fps=${fps} />`
      : result && side && comparable ? html`<${Compare} before=${picture(source)} after=${result} title=${job.title} />`
      : result ? html`<img class="result" src=${result} alt=${`${job.title}, ${job.state === "done" ? "finished" : "so far"}`} />`
      : source?.kind === "clip" ? html`<video key="clip" class="source" src=${`/api/sources/${source.sha256}/file`} poster=${picture(source)} controls muted playsinline title=${source.name}></video>`
      : source ? html`<img class="source" src=${picture(source)} alt=${source.name} />`
      : html`<${Invite} kind=${kind} form=${form} choose=${() => chooser.current.click()} />`}
    <input type="file" accept="image/*,video/*" ref=${chooser} class="unseen" tabindex="-1" aria-label="Choose a picture or a clip"
      onChange=${(e) => { if (e.target.files[0]) addPicture(e.target.files[0]); e.target.value = ""; }} />
    ${comparable && !paints && html`<button style=${{ position: "absolute", top: "10px", right: "10px" }} aria-pressed=${side} onClick=${() => compare(!side)}>Compare</button>`}
  </div>
  ${kind.source && (source || result) && html`<div class="row tight"><button class="plain" onClick=${() => chooser.current.click()}>Choose another ${kind.source === "clip" ? "clip" : "picture"}</button>
    <span class="small soft">or drop or paste one; a result restores all its settings</span><span class="space"></span>
    ${kind.mask && source && html`<${MaskState} paints=${paints} paint=${() => paint(!paints)} />`}</div>`}`;
}

function Invite({ kind, form, choose }) {
  if (!kind.source) return html`<div class="invite"><h2>${kind.about}</h2><p class="soft">Choose what to bring out, then press Imagine.</p></div>`;
  if (kind.source === "clip") return html`<div class="invite"><h2>Drop a clip here</h2>
    <p class="soft">or paste one. It is dreamt on frame by frame, without flicker.</p>
    <div class="row"><button class="main" onClick=${choose}>Choose a clip</button></div></div>`;
  if (form.noise) return html`<div class="invite"><h2>Noise</h2><p class="soft">The work begins with noise instead of a picture.</p>
    <div class="row"><label for="noise">Its size</label><${Text} id="noise" value=${form.noise} style=${{ width: "8em" }} onTaken=${(text) => edit({ noise: text.trim() || NOISE })} />
    <button onClick=${() => edit({ noise: null })}>Use a picture</button></div></div>`;
  return html`<div class="invite"><h2>Drop a picture or a clip here</h2>
    <p class="soft">or paste one. What phosphene made brings its settings with it.</p>
    <div class="row"><button class="main" onClick=${choose}>Choose a file</button>
    <button onClick=${() => edit({ noise: NOISE })}>Begin with noise</button></div>
    <${Word} /></div>`;
}

// A word alone: it is imagined, without a picture to begin with.
function Word() {
  const [word, type] = useState("");
  const go = (event) => {
    event.preventDefault();
    if (!word.trim()) return;
    edit({ kind: "imagine", base: null, settings: { ...state.form.settings, imagine: { ...state.form.settings.imagine, target: word.trim() } } });
    dream();
  };
  return html`<form class="row" onSubmit=${go}><label for="word">or begin with a word</label>
    <input type="text" id="word" list="names" placeholder="banana" autocomplete="off" value=${word} onInput=${(e) => type(e.target.value)} style=${{ width: "10em" }} />
    <button disabled=${!word.trim()}>Imagine</button></form>`;
}

function Progress({ job }) {
  if (!job) return html`<p class="told"></p>`;
  const share = Math.round((job.progress ?? 0) * 100);
  const left = job.seconds_left > 1 && job.state === "running" ? `, about ${clock(job.seconds_left)} left` : "";
  const words = {
    waiting: "waiting in the queue", running: `${job.stage}${left}`, done: `done: ${job.files?.[0] ?? ""}${job.width ? `, ${job.width} × ${job.height}` : ""}`,
    cancelled: "cancelled; “Go on” continues where it was", failed: job.error, deleted: "deleted",
  };
  return html`<div><div class="bar" role="progressbar" aria-label="Progress" aria-valuemin="0" aria-valuemax="100" aria-valuenow=${share}>
    <i style=${{ width: `${share}%` }}></i></div><p class="told small" data-state=${job.state}>${words[job.state]}</p></div>`;
}

export function clock(seconds) {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")} min`;
}

function Sources({ studio, change }) {
  if (studio.sources.length < 2) return null;
  return html`<div class="sources" role="group" aria-label="Pictures and clips used before">
    ${studio.sources.map((each) => html`<button key=${each.sha256} aria-pressed=${each.sha256 === studio.form.source?.sha256} title=${each.name}
      onClick=${() => { change({ source: each, noise: null, kind: kindFor(each) }); show(null); }}><img loading="lazy" src=${picture(each, true)} alt=${each.kind === "clip" ? `${each.name}, a clip` : each.name} />${
        each.kind === "clip" && html`<span aria-hidden="true">▶</span>`}</button>`)}
  </div>`;
}

function netOf(studio, kind) {
  const name = settingsOf(studio.form).net ?? kind.fields.find((each) => each.name === "net")?.default;
  return studio.nets.find((each) => each.name === name) ?? studio.nets[0];
}

function Wanted({ studio, kind, set, change }) {
  const { form } = studio;
  const own = settingsOf(form);
  const net = netOf(studio, kind);
  const target = own.target ?? "";
  const add = (text, more) => {
    if (kind.listed) {
      const lines = (form.listed[form.kind] ?? "").split("\n").filter(Boolean);
      change({ listed: { ...form.listed, [form.kind]: [...lines, text].join("\n") } });
      return;
    }
    const keys = readKeys(target, "");
    const chosen = keys[kind.film ? Math.min(chosenKeys.target ?? 0, keys.length - 1) : 0];
    chosen.value = more && chosen.value ? `${chosen.value} + ${text}` : text;
    set("target", keys.length > 1 ? writeKeys(keys) : chosen.value);
  };
  const about = kind.fields.find((each) => each.name === "target")?.help ?? `One target a line: a label, a layer such as ${net.default}, a channel such as ${net.default}:13, or ${net.default}:0..15 for several.`;
  return html`<div class="card">
    <div class="row"><h2 class="space">What to bring out</h2></div>
    ${kind.listed ? html`<${Text} tag="textarea" rows="4" aria-label="Targets, one a line" value=${form.listed[form.kind] ?? ""}
        onTaken=${(text) => change({ listed: { ...form.listed, [form.kind]: text } })} />`
      : html`<${Text} aria-label="Target" list="names" value=${target} placeholder=${kind.mask && form.parts.length ? "what to bring out elsewhere" : kind.source ? net.default : "banana"} spellcheck="false"
        onTaken=${(text) => set("target", text.trim() || undefined)} />`}
    ${kind.mask && html`<${Parts} parts=${form.parts} />`}
    <datalist id="names">${[...net.layers, ...net.labels].map((each) => html`<option value=${each} />`)}</datalist>
    <p class="small soft">${about}</p>
    <${Seen} studio=${studio} net=${net} kind=${kind} add=${add} target=${target} />
  </div>`;
}

function Seen({ studio, net, kind, add, target }) {
  const source = begins(kind, studio.form);
  const [sight, look] = useState(null);
  useEffect(() => {
    look(null);
    if (!source) return;
    let current = true;
    ask("GET", `sources/${source.sha256}/see?net=${encodeURIComponent(net.name)}`).then((found) => current && look(found), () => {});
    return () => { current = false; };
  }, [source?.sha256, net.name]);
  const groups = useMemo(() => {
    const thumb = source && picture(source, true);
    if (sight) return [
      ["It sees", sight.labels.map((each) => ({ title: each.label, target: each.target, note: `${Math.round(each.probability * 100)} %` }))],
      ["Layers that respond", sight.layers.map((each) => ({ title: each.target, target: each.target, note: `× ${each.relative_response.toFixed(1)}` }))],
      ["Channels that respond, where they do", sight.channels.map((each) => ({ title: each.target, target: each.target, note: `${each.z_score.toFixed(1)} σ`, part: { url: thumb, x: each.x, y: each.y } }))],
    ];
    return source ? [] : [["Layers", net.layers.filter((each) => !each.includes("/")).map((each) => ({ title: each, target: each }))]];
  }, [sight, source, net]);
  useTiles(net.name, groups.flatMap(([, list]) => list.map((each) => each.target)));
  if (source && !sight) return html`<p class="small soft" role="status">Looking at the picture…</p>`;
  return html`${groups.filter(([, list]) => list.length).map(([title, list]) => html`<div key=${title}><h3 class="small soft">${title}</h3><div class="tiles">
    ${list.map((each) => html`<${Tile} key=${each.target} net=${net.name} ...${each} chosen=${target === each.target} onClick=${(e) => add(each.target, e.shiftKey)} />`)}</div></div>`)}`;
}
