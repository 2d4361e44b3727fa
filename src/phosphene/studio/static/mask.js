// The brush: paints where to dream, and how strongly, over the picture.

import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { Text } from "./fields.js";
import { upload } from "./server.js";
import { attempt, edit, state } from "./store.js";

const SIDE = 1024;
const KEPT = 20;
const TINT = "rgb(255, 120, 40)";

const layer = (width, height) => Object.assign(document.createElement("canvas"), { width, height });

// A picture's brightness as the opacity of the tint, and back.
function tinted(picture, width, height) {
  const canvas = layer(width, height);
  const pen = canvas.getContext("2d");
  pen.drawImage(picture, 0, 0, width, height);
  const data = pen.getImageData(0, 0, width, height);
  for (let i = 0; i < data.data.length; i += 4) {
    const grey = (data.data[i] + data.data[i + 1] + data.data[i + 2]) / 3;
    data.data.set([255, 120, 40, grey], i);
  }
  pen.putImageData(data, 0, 0);
  return canvas;
}

function grey(canvas) {
  const white = layer(canvas.width, canvas.height);
  const pen = white.getContext("2d");
  pen.drawImage(canvas, 0, 0);
  pen.globalCompositeOperation = "source-in";
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, white.width, white.height);
  pen.globalCompositeOperation = "destination-over";
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, white.width, white.height);
  return new Promise((done) => white.toBlob(done, "image/png"));
}

export function Brush({ source, mask, target, standard, close }) {
  const scale = Math.min(1, SIDE / Math.max(source.width, source.height));
  const width = Math.max(1, Math.round(source.width * scale)), height = Math.max(1, Math.round(source.height * scale));
  const shown = useRef(null);
  const kept = useRef(null);
  const stroke = useRef(null);
  const past = useRef([]);
  const at = useRef([width / 2, height / 2]);
  const [erases, setErases] = useState(false);
  const [size, setSize] = useState(Math.round(Math.max(width, height) / 6));
  const [softness, setSoftness] = useState(60);
  const [strength, setStrength] = useState(100);
  const [strokes, count] = useState(0);

  const draw = (cursor = false) => {
    const pen = shown.current.getContext("2d");
    pen.globalCompositeOperation = "copy";
    pen.globalAlpha = 1;
    pen.drawImage(kept.current, 0, 0);
    if (stroke.current) lay(pen);
    if (cursor) {
      pen.globalCompositeOperation = "source-over";
      pen.globalAlpha = 1;
      pen.strokeStyle = "#fff";
      pen.beginPath();
      pen.arc(...at.current, size / 2, 0, 7);
      pen.stroke();
    }
  };
  const lay = (pen) => {
    pen.globalCompositeOperation = erases ? "destination-out" : "source-over";
    pen.globalAlpha = strength / 100;
    pen.drawImage(stroke.current, 0, 0);
    pen.globalAlpha = 1;
    pen.globalCompositeOperation = "source-over";
  };
  const dab = ([x, y]) => {
    const pen = stroke.current.getContext("2d");
    const radius = size / 2;
    const paint = pen.createRadialGradient(x, y, Math.max(0, Math.min(radius * (1 - softness / 100), radius - 0.5)), x, y, radius);
    paint.addColorStop(0, TINT);
    paint.addColorStop(1, "rgba(255, 120, 40, 0)");
    pen.fillStyle = paint;
    pen.fillRect(x - radius, y - radius, size, size);
  };
  const line = (from, to) => {
    const steps = Math.max(1, Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) / Math.max(1, size / 10)));
    for (let i = 1; i <= steps; i++) dab([from[0] + ((to[0] - from[0]) * i) / steps, from[1] + ((to[1] - from[1]) * i) / steps]);
  };
  const keep = () => {
    const before = layer(width, height);
    before.getContext("2d").drawImage(kept.current, 0, 0);
    past.current = [...past.current.slice(-KEPT + 1), before];
  };
  const end = () => {
    if (!stroke.current) return;
    keep();
    lay(kept.current.getContext("2d"));
    stroke.current = null;
    count((n) => n + 1);
    draw();
  };
  const undo = () => {
    const before = past.current.pop();
    if (!before) return;
    kept.current = before;
    count((n) => n + 1);
    draw();
  };
  const place = (event) => {
    const box = shown.current.getBoundingClientRect();
    const shrunk = Math.min(box.width / width, box.height / height);
    return [(event.clientX - box.left - (box.width - width * shrunk) / 2) / shrunk, (event.clientY - box.top - (box.height - height * shrunk) / 2) / shrunk];
  };

  useEffect(() => {
    kept.current = layer(width, height);
    if (!mask) return draw();
    const picture = new Image();
    picture.onload = () => { kept.current = tinted(picture, width, height); draw(); };
    picture.src = `/api/sources/${mask.sha256}/picture`;
  }, []);

  const down = (event) => {
    event.preventDefault();
    shown.current.setPointerCapture(event.pointerId);
    stroke.current = layer(width, height);
    at.current = place(event);
    dab(at.current);
    draw();
  };
  const move = (event) => {
    if (!stroke.current) return;
    const now = place(event);
    line(at.current, now);
    at.current = now;
    draw();
  };
  const keys = (event) => {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if ((event.ctrlKey || event.metaKey) && event.key === "z") undo();
    else if (event.key in ways) {
      const step = Math.max(4, size / 4);
      at.current = at.current.map((each, i) => Math.min([width, height][i], Math.max(0, each + step * ways[event.key][i])));
      draw(true);
    } else if (event.key === " ") {
      stroke.current = layer(width, height);
      dab(at.current);
      end();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const done = async (taken) => {
    const blob = await grey(kept.current);
    const found = await attempt(() => upload(new File([blob], "mask")));
    if (found) { taken(found.source); close(); }
  };
  const whole = () => done((made) => edit({ mask: made }));
  const part = () => done((made) => edit({ parts: [...state.form.parts, { target: target || standard, mask: made }], settings: { ...state.form.settings, dream: { ...state.form.settings.dream, target: undefined } } }));
  const clear = () => {
    keep();
    kept.current = layer(width, height);
    count((n) => n + 1);
    draw();
  };
  const slider = (name, value, set, least, most) => html`<label class="small">${name}
    <input type="range" min=${least} max=${most} value=${value} onInput=${(e) => set(Number(e.target.value))} /></label>`;

  return html`<canvas class="mask" ref=${shown} width=${width} height=${height} tabindex="0"
      aria-label="Mask: paint where to dream; arrow keys move the brush, Space paints, Ctrl+Z undoes"
      onPointerDown=${down} onPointerMove=${move} onPointerUp=${end} onPointerCancel=${end} onKeyDown=${keys}></canvas>
    <div class="brush" role="toolbar" aria-label="Brush">
      <button aria-pressed=${!erases} onClick=${() => setErases(false)}>Paint</button>
      <button aria-pressed=${erases} onClick=${() => setErases(true)}>Erase</button>
      ${slider("Size", size, setSize, 4, Math.round(Math.max(width, height) / 1.5))}
      ${slider("Softness", softness, setSoftness, 0, 100)}
      ${slider("Strength", strength, setStrength, 5, 100)}
      <button disabled=${past.current.length === 0} onClick=${undo} data-strokes=${strokes}>Undo</button>
      <button onClick=${clear}>Clear</button>
      <button onClick=${close}>Discard</button>
      <button onClick=${part} title="Further targets can have masks of their own">Use for ${target || standard} only</button>
      <button class="main" onClick=${whole}>Use mask</button>
    </div>`;
}

export function MaskState({ paints, paint }) {
  const { mask } = state.form;
  return html`<button aria-pressed=${paints} onClick=${paint}>${mask ? "Change the mask" : "Paint where to dream"}</button>
    ${mask && !paints && html`<span class="small soft">Dreams where the mask is painted.</span>
      <button class="plain" onClick=${() => edit({ mask: null })}>Dream everywhere</button>`}`;
}

// The targets that have a mask of their own.
export function Parts({ parts }) {
  if (!parts?.length) return null;
  const put = (index, change) => edit({ parts: parts.flatMap((each, i) => (i !== index ? [each] : change ? [{ ...each, ...change }] : [])) });
  return html`<div class="parts" role="group" aria-label="Targets with a mask of their own">${parts.map((each, index) => html`<div class="row tight" key=${each.mask.sha256}>
    <img src=${`/api/sources/${each.mask.sha256}/picture?small=true`} alt=${`Mask of ${each.target}`} />
    <${Text} aria-label=${`Target of mask ${index + 1}`} list="names" value=${each.target} spellcheck="false" onTaken=${(text) => put(index, text.trim() ? { target: text.trim() } : null)} />
    <button class="plain" aria-label=${`Remove ${each.target} and its mask`} onClick=${() => put(index, null)}>✕</button></div>`)}</div>`;
}
