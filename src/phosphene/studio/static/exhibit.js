// One full-screen page for a darkened room: a film or picture, while it is made and then for ever, or the camera's dream.

import { grab, openCamera, pause } from "./frames.js";
import { ask, follow } from "./server.js";

const WIDE = 320, AGAIN = 5000;  // milliseconds until what failed is tried again
const ALONE = 60_000, MOVED = 6, LOOK = 500;  // nobody is there after so many milliseconds without a change of so many levels of 255, looked for so often
const LEAD = 0.05;  // seconds before its end from which a film begins again
const PAGE = 20_000, CLOSER = 0.75;  // how long a picture of the diary is dreamt on, and the share of it that is left at the end

const room = document.getElementById("room");
const told = document.getElementById("told");
const tell = (text) => { told.textContent = text; };

function appear(element) {  // the new one fades in over the old one, which then goes
  const before = [...room.children].filter((each) => each !== element);
  if (element.parentNode !== room) room.append(element);
  requestAnimationFrame(() => requestAnimationFrame(() => element.classList.add("shown")));
  setTimeout(() => before.forEach((each) => each.remove()), 700);
}

async function showPicture(url, wanted = () => true) {
  const image = Object.assign(new Image(), { src: url, alt: "" });
  await image.decode().catch(() => {});
  if (image.naturalWidth && wanted()) appear(image);
}

// Browsers pause for some frames where a film begins again. So two take turns: one plays from just before the other's end.
function showFilm(url) {
  const place = Object.assign(document.createElement("div"), { className: "film" });
  let [now, next] = [0, 1].map(() => {
    const film = Object.assign(document.createElement("video"), { src: url, muted: true, playsInline: true, preload: "auto" });
    film.addEventListener("error", () => setTimeout(() => film.load(), AGAIN));
    place.append(film);
    return film;
  });
  let turns = 0;
  const turn = () => {
    requestAnimationFrame(turn);
    if (!(now.duration - now.currentTime <= LEAD || now.ended) || next.readyState < 2) return;
    next.play().catch(() => {});
    place.append(next);  // on top
    const over = now;
    over.addEventListener("ended", () => { over.currentTime = 0; }, { once: true });
    if (over.ended) over.currentTime = 0;
    [now, next] = [next, now];
    place.dataset.turns = ++turns;
  };
  now.addEventListener("playing", () => { appear(place); turn(); }, { once: true });
  now.addEventListener("canplay", () => now.paused && now.play().catch(() => {}), { once: true });
  room.append(place);
}

function showWork(id) {
  let newest = 0, state = null, drawing = false;
  const draw = async () => {
    if (drawing || state === "done") return;
    drawing = true;
    for (let drawn = -1; drawn !== newest && state !== "done";) {
      drawn = newest;
      await showPicture(`/api/jobs/${id}/preview?number=${drawn}`, () => state !== "done");
    }
    drawing = false;
  };
  const become = (job) => {
    if (!job || job.id !== id || job.state === state) return;
    state = job.state;
    tell(state === "failed" ? job.error : state === "waiting" ? "waiting for its turn" : "");
    if (state !== "done") return;
    const file = `/api/jobs/${id}/file`;
    if (/\.(mp4|webm)$/.test(job.output)) showFilm(file); else showPicture(file);
  };
  follow({
    away: () => {},
    snapshot: ({ jobs, previews }) => {  // at the beginning, and when the server was away for long
      ask("GET", "exhibit").then(({ job }) => job !== id && location.reload(), () => {});  // another exhibition by now
      if (id in previews) { newest = previews[id]; draw(); }
      const job = jobs.find((each) => each.id === id);
      if (job) become(job); else ask("GET", `jobs/${id}`).then(become, (problem) => tell(problem.message));
    },
    job: become,
    preview: ({ id: whose, number }) => { if (whose === id) { newest = number; draw(); } },
  });
}

function presence(video) {  // whether somebody is there: what the camera shows has changed lately
  const canvas = Object.assign(document.createElement("canvas"), { width: 32, height: 24 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  let before = null, changed = performance.now();
  setInterval(() => {
    if (!video.videoWidth) return;
    context.drawImage(video, 0, 0, 32, 24);
    const now = context.getImageData(0, 0, 32, 24).data;
    let difference = 0;
    for (let i = 0; before && i < now.length; i += 4) difference += Math.abs(now[i + 1] - before[i + 1]);
    if (!before || difference / (32 * 24) > MOVED) { changed = performance.now(); before = now.slice(); }
  }, LOOK);
  return () => video.videoWidth && performance.now() - changed < ALONE;
}

async function showCamera(pages) {
  const video = Object.assign(document.createElement("video"), { muted: true, playsInline: true });
  const canvas = document.createElement("canvas");
  appear(canvas);
  openCamera(video, tell);
  const somebody = presence(video);
  let leaf = null, begun = 0;
  for (;;) {
    try {
      const now = performance.now();
      if (!somebody() && pages && (!leaf || now - begun > PAGE)) {
        leaf = Object.assign(new Image(), { src: `/api/exhibit/diary/${Math.floor(Math.random() * pages)}`, alt: "" });
        begun = now;
        await leaf.decode();
      }
      const dreams = somebody() || !pages;
      if (dreams && !video.videoWidth) { await pause(LOOK); continue; }
      const body = await (dreams ? grab(video, WIDE) : grab(leaf, WIDE, 1 - (1 - CLOSER) * Math.min(1, (now - begun) / PAGE)));
      const reply = await fetch("/api/camera/dream", { method: "POST", body });
      if (!reply.ok) throw new Error((await reply.json()).error);
      const picture = await createImageBitmap(await reply.blob());
      Object.assign(canvas, { width: picture.width, height: picture.height });
      canvas.getContext("2d").drawImage(picture, 0, 0);
      canvas.dataset.dreams = dreams ? "camera" : "diary";
    } catch {
      leaf = null;
      await pause(AGAIN);  // the server is away, or a picture is gone
    }
  }
}

async function stayAwake() {
  let lock = null;
  const ask = async () => {
    if (document.visibilityState !== "visible" || (lock && !lock.released)) return;
    lock = await navigator.wakeLock?.request("screen").catch(() => null);
    lock?.addEventListener("release", () => setTimeout(ask, AGAIN));  // as when the battery was low
  };
  document.addEventListener("visibilitychange", ask);
  await ask();
}

const leave = () => { location.href = "/"; };
addEventListener("keydown", (event) => { if (event.key === "Escape") leave(); });
document.addEventListener("fullscreenchange", () => { if (!document.fullscreenElement) leave(); });
addEventListener("click", () => document.documentElement.requestFullscreen().catch(() => {}));

stayAwake();
for (let shown = null; !shown;) {
  shown = await ask("GET", "exhibit").catch(async () => { await pause(AGAIN); return null; });
  if (shown?.job) showWork(shown.job);
  else if (shown) showCamera(shown.diary);
}
