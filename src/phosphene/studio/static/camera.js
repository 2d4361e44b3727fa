// The camera: what it sees, live, and the dream on it; it asks what it does not know.

import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { grab, openCamera, pause } from "./frames.js";
import { ask } from "./server.js";
import { attempt, edit, show, state, useStudio } from "./store.js";

const WIDE = 320, SIDE = 224, VIEWS = 5, LOOK = 200, LOOK_ONLY = 80;  // LOOK: milliseconds from one look to the next, while it dreams or not

export function Camera() {
  const studio = useStudio();
  const video = useRef(null), shown = useRef(null), asked = useRef({}), lesson = useRef({ word: "", over: null });
  const [problem, complain] = useState("");
  const [on, turn] = useState(false);
  const [seen, see] = useState(null);
  const [rates, rate] = useState({ dream: 0, see: 0 });
  const [words, setWords] = useState([]);
  const [answer, type] = useState("");
  const [net, setNet] = useState(studio.camera.net);
  const [target, setTarget] = useState("");
  const [dreams, dream] = useState(true);
  const [sure, setSure] = useState(30);
  const [learning, learn] = useState("");
  const card = studio.nets.find((each) => each.name === net) ?? studio.nets[0];
  const standard = card.name === studio.camera.net ? studio.camera.target : card.default;
  asked.current = { net: card.name, target: target || standard, dreams };

  useEffect(() => {
    ask("GET", "camera/words").then(setWords, () => {});
    return openCamera(video.current, (why) => { complain(why); turn(!why); }, { facingMode: "environment" });
  }, []);

  useEffect(() => {
    if (!on) return;
    let gone = false;
    const counts = { dream: 0, see: 0 };
    const timer = setInterval(() => { rate({ dream: counts.dream / 2, see: counts.see / 2 }); counts.dream = counts.see = 0; }, 2000);
    const repeat = async (work) => {
      while (!gone) {
        const began = performance.now();
        try { await work(began); } catch (found) { if (!gone) { complain(found.message); await pause(5000); complain(""); } }
      }
    };
    repeat(async (began) => {
      see(await ask("POST", "camera/see", await grab(video.current, SIDE)));
      counts.see++;
      await pause(Math.max(0, (asked.current.dreams ? LOOK : LOOK_ONLY) - (performance.now() - began)));
    });
    repeat(async () => {
      const { net, target, dreams } = asked.current;
      if (!dreams) return pause(200);
      const reply = await fetch(`/api/camera/dream?net=${net}&target=${encodeURIComponent(target)}`, { method: "POST", body: await grab(video.current, WIDE) });
      if (!reply.ok) throw new Error((await reply.json()).error);
      const picture = await createImageBitmap(await reply.blob());
      const canvas = shown.current;
      if (!canvas) return null;
      Object.assign(canvas, { width: picture.width, height: picture.height });
      canvas.getContext("2d").drawImage(picture, 0, 0);
      counts.dream++;
      return null;
    });
    return () => { gone = true; clearInterval(timer); };
  }, [on]);

  const best = seen?.labels?.[0];
  const known = seen?.known && seen.known.likeness >= 0.55 ? seen.known : null;
  const unsure = on && !learning && !known && best && best.probability * 100 < sure;
  const teach = async (event) => {
    event.preventDefault();
    const word = answer.trim();
    if (!word) return;
    learn(word);
    type("");
    lesson.current.word = word;
    lesson.current.over = showViews(word);
    await lesson.current.over;
    learn("");
  };
  const showViews = async (word) => {
    for (let i = 0; i < VIEWS && lesson.current.word === word; i++) {
      const found = await attempt(async () => ask("POST", `camera/words?word=${encodeURIComponent(word)}`, await grab(video.current, SIDE)));
      if (found) setWords(found);
      await pause(400);
    }
  };
  const forget = async (word) => {
    if (lesson.current.word === word) {  // or it would be learnt again at once
      lesson.current.word = "";
      await lesson.current.over;
    }
    const found = await attempt(() => ask("DELETE", `camera/words?word=${encodeURIComponent(word)}`)); if (found) setWords(found);
  };

  const bringOut = async (word) => {
    const found = await attempt(() => ask("POST", `camera/words/target?word=${encodeURIComponent(word)}`));
    if (!found) return;
    const settings = Object.fromEntries(["dream", "imagine"].map((kind) => [kind, { ...state.form.settings[kind], ...found }]));
    edit({ kind: state.form.source || state.form.noise ? "dream" : "imagine", preset: null, base: null, settings: { ...state.form.settings, ...settings } });
    show(null);
    location.hash = "#/make";
  };

  return html`<main class="make">
    <section class="stage" aria-label="Camera">
      <div class="picture camera">
        <video ref=${video} muted playsinline class=${dreams ? "small" : ""}></video>
        ${dreams && html`<canvas ref=${shown} aria-label="The dream on what the camera sees"></canvas>`}
        ${problem && html`<p class="invite" role="alert">${problem}</p>`}
      </div>
      <p class="seen" aria-live="off">${known ? html`<strong>${known.word}</strong> <span class="soft">as it was taught</span>`
        : best ? seen.labels.map((each, i) => html`<span key=${i} class=${i ? "soft" : ""}>${i ? each.label : html`<strong>${each.label}</strong>`} <small class="soft">${Math.round(each.probability * 100)} %</small></span>`)
        : html`<span class="soft">${on ? "Looking…" : "Waiting for the camera"}</span>`}</p>
      <p class="small soft">${on && `sees ${rates.see.toFixed(1)} times a second${dreams ? `, dreams ${rates.dream.toFixed(1)}` : ""}`}</p>
    </section>
    <section class="panel" aria-label="Settings">
      ${(unsure || learning) && html`<form class="card" onSubmit=${teach}><h2>${learning ? `Learning “${learning}”: move it a little` : "What is this?"}</h2>
        ${!learning && html`<div class="row tight"><input type="text" aria-label="What is this?" value=${answer} onInput=${(e) => type(e.target.value)} /><button class="main">Teach</button></div>`}</form>`}
      <div class="card"><label class="check"><input type="checkbox" checked=${dreams} onChange=${(e) => dream(e.target.checked)} /> <span>Dream what it sees</span></label>
        <div class="field"><div class="name"><label for="camera-net">Dreams with</label></div><select id="camera-net" value=${card.name} onChange=${(e) => { setNet(e.target.value); setTarget(""); }}>
          ${studio.nets.map((each) => html`<option value=${each.name} selected=${each.name === card.name}>${each.title}</option>`)}</select></div>
        <div class="field"><div class="name"><label for="camera-target">What to bring out</label></div>
          <input type="text" id="camera-target" placeholder=${standard} value=${target} onChange=${(e) => setTarget(e.target.value.trim())} /></div>
        <div class="field"><div class="name"><label for="camera-sure">Ask below</label><span class="small soft">${sure} %</span></div>
          <input type="range" id="camera-sure" min="0" max="95" step="5" value=${sure} onInput=${(e) => setSure(Number(e.target.value))} /></div></div>
      <div class="card"><h2>What it was taught</h2>
        ${words.length ? html`<div class="chips">${words.map((each) => html`<span class="taught" key=${each}><button onClick=${() => bringOut(each)} title="Dream or imagine it">${each}</button><button onClick=${() => forget(each)} aria-label=${`Forget ${each}`}>✕</button></span>`)}</div>
          <p class="small soft">A click on a word dreams it, or imagines it.</p>
          <a class="button" href="/api/camera/words/file" download>Download for the command line</a>` : html`<p class="small soft">Nothing yet. Where it is not sure, it asks.</p>`}</div>
    </section></main>`;
}
