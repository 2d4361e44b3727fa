// The page's state, and who is told when it changes.

import { useEffect, useState } from "./vendor/preact-htm.js";
import { ask, follow } from "./server.js";

export const state = {
  ready: false, away: false, paused: false, kinds: [], nets: [], sources: [], jobs: new Map(), previews: new Map(),
  tiles: new Map(), toasts: [], form: null, shown: null, galleryStale: 0,
};
const watchers = new Set();

export function changed() {
  for (const each of watchers) each();
}

export function useStudio() {
  const [, set] = useState(0);
  useEffect(() => {
    const again = () => set((n) => n + 1);
    watchers.add(again);
    return () => watchers.delete(again);
  }, []);
  return state;
}

export function tell(text, { bad = false, action = null, label = "" } = {}) {
  const toast = { text, bad, action, label };
  state.toasts = [...state.toasts.slice(-3), toast];
  changed();
  setTimeout(() => dismiss(toast), bad ? 9000 : 7000);
}

export function dismiss(toast) {
  state.toasts = state.toasts.filter((each) => each !== toast);
  changed();
}

export async function attempt(work) {
  try {
    return await work();
  } catch (problem) {
    tell(problem.message, { bad: true });
    return null;
  }
}

export const EMPTY = {
  kind: "dream", settings: {}, preset: null, source: null, noise: null, listed: {}, base: null, mask: null, live: false, goOn: false,
  parent: null, parentStep: null, parts: [],
};

let keeping = 0;
function keep(keepalive = false) {
  clearTimeout(keeping);
  keeping = 0;
  ask("PUT", "state", { form: { ...state.form, shown: state.shown } }, {}, keepalive).catch(() => {});
}

addEventListener("pagehide", () => { if (keeping) keep(true); });  // a reload right after a change loses nothing

export function edit(changes) {
  // A mask is of one picture.
  if ("source" in changes && !("mask" in changes) && changes.source?.sha256 !== state.form.source?.sha256) changes = { parts: [], ...changes, mask: null };
  state.form = { ...state.form, ...changes };
  changed();
  clearTimeout(keeping);
  keeping = setTimeout(keep, 400);
}

// What the work begins with, as far as the kind of work can: clips are for videos, pictures for the others.
export const fits = (kind, source) => Boolean(kind?.source && source && (source.kind ?? "photo") === kind.source);

// The kind of work that takes a picture or clip: the present one if it does.
export function kindFor(source, now = state.form.kind) {
  const kind = state.kinds.find((each) => each.name === now);
  return fits(kind, source) ? now : source.kind === "clip" ? "video" : "dream";
}

export function take(source) {
  state.sources = [source, ...state.sources.filter((each) => each.sha256 !== source.sha256)];
  return { source, noise: null, base: null, kind: kindFor(source) };
}

export function show(id) {
  state.shown = id;
  changed();
  keep();
}

export const settingsOf = (form) => form.settings[form.kind] ?? {};

export function restore(found, { picture = null } = {}) {
  const { kind, settings, listed, source, noise, base, mask, parts } = found;
  edit({
    kind, preset: null, base, noise, mask, parts: parts ?? [], parent: null, parentStep: null,
    settings: { ...state.form.settings, [kind]: settings },
    listed: listed.length ? { ...state.form.listed, [kind]: listed.join("\n") } : state.form.listed,
    source: source ?? picture ?? state.form.source,
  });
}

export async function begin() {
  const found = await ask("GET", "state");
  Object.assign(state, { kinds: found.kinds, nets: found.nets, sources: found.sources, camera: found.camera, ready: true });
  const kept = found.form ?? {};
  state.form = { ...EMPTY, ...kept };
  state.shown = kept.shown ?? null;
  delete state.form.shown;
  if (!state.kinds.some((kind) => kind.name === state.form.kind)) state.form.kind = "dream";
  follow({
    away: (away) => { state.away = away; changed(); },
    snapshot: ({ jobs, paused, previews }) => {
      state.jobs = new Map(jobs.map((job) => [job.id, job]));
      state.previews = new Map(Object.entries(previews));
      state.paused = paused;
      state.galleryStale++;
      changed();
    },
    job: (job) => {
      const before = state.jobs.get(job.id);
      state.jobs.set(job.id, { ...before, ...job });
      if (["done", "deleted"].includes(job.state)) {
        state.galleryStale++;
        if (job.id !== state.shown) state.jobs.delete(job.id);
      }
      if (job.state === "failed") tell(`${job.title}: ${job.error}`, { bad: true });
      changed();
    },
    progress: ({ id, ...facts }) => {
      const job = state.jobs.get(id);
      if (!job) return;
      if (facts.note) tell(facts.note);
      state.jobs.set(id, { ...job, ...facts });
      changed();
    },
    preview: ({ id, number }) => { state.previews.set(id, number); changed(); },
    tile: ({ net, target, key }) => { state.tiles.set(`${net} ${target}`, key); changed(); },
    gone: ({ id }) => { state.jobs.delete(id); state.previews.delete(id); changed(); },
    queue: ({ paused }) => { state.paused = paused; changed(); },
  });
  changed();
}
