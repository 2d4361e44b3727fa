// Settings of a film that change over time, as keys on a line: "0s: mixed4a; 4s: mixed4c" in the recipe.

import { html, useRef, useState } from "./vendor/preact-htm.js";
import { Text } from "./fields.js";

const KEY = /^\s*(\d+(?:\.\d*)?|\.\d+)\s*s\s*:\s*([^]*?)\s*$/;

// Which key of a setting was chosen last, by the setting's name.
export const chosenKeys = {};

export function readKeys(text, otherwise) {
  const parts = String(text ?? "").split(/;(?=\s*(?:\d+(?:\.\d*)?|\.\d+)\s*s\s*:)/).map((part) => KEY.exec(part));
  if (text && parts.every(Boolean)) return parts.map(([, time, value]) => ({ time: Number(time), value }));
  return [{ time: 0, value: text ? String(text) : String(otherwise ?? "") }];
}

export function writeKeys(keys) {
  const sorted = [...keys].sort((a, b) => a.time - b.time);
  if (sorted.length === 1) return sorted[0].value || undefined;
  return sorted.map(({ time, value }) => `${Math.round(time * 100) / 100}s: ${value}`).join("; ");
}

export function Timeline({ fields, values, seconds, target, set }) {
  return html`<div class="card"><h2>Time line</h2>
    <p class="small soft">Click on a line to set a key there; drag it, or move it with the arrow keys. From key to key the setting eases.</p>
    ${fields.map((field) => html`<${Track} key=${field.name} field=${field} seconds=${seconds}
      keys=${readKeys(values[field.name], field.default ?? (field.name === "target" ? target : ""))} set=${(keys) => set(field.name, writeKeys(keys))} />`)}
    <div class="row small soft"><span>0 s</span><span class="space"></span><span>${seconds} s</span></div></div>`;
}

function Track({ field, keys, seconds, set }) {
  const line = useRef(null);
  const held = useRef(null);
  const [at, choose] = useState(0);
  const chosen = Math.min(at, keys.length - 1);
  chosenKeys[field.name] = chosen;
  const replaced = (index, change) => keys.map((each, i) => (i === index ? { ...each, ...change } : each));
  const time = (event) => {
    const box = line.current.getBoundingClientRect();
    return Math.round(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * seconds * 20) / 20;
  };
  const add = (event) => {
    if (event.target !== line.current) return;
    const when = time(event);
    const before = [...keys].reverse().find((each) => each.time <= when) ?? keys[0];
    const made = [...keys, { time: when, value: before.value }].sort((a, b) => a.time - b.time);
    choose(made.findIndex((each) => each.time === when));
    set(made);
  };
  const press = (event, index) => {
    const by = { ArrowLeft: -0.1, ArrowRight: 0.1 }[event.key];
    if (by) set(replaced(index, { time: Math.min(seconds, Math.max(0, Math.round((keys[index].time + by) * 100) / 100)) }));
    else if ((event.key === "Delete" || event.key === "Backspace") && keys.length > 1) { set(keys.filter((_, i) => i !== index)); choose(0); }
    else return;
    event.preventDefault();
  };
  const id = `key-${field.name}`;
  return html`<div class="track"><div class="name"><label for=${id}>${field.label}</label>
      <${Text} id=${id} value=${keys[chosen].value} placeholder=${field.default ?? "automatic"} spellcheck="false"
        onTaken=${(text) => set(replaced(chosen, { value: text.trim() }))} />
      ${keys.length > 1 && html`<span class="small soft">at ${keys[chosen].time} s</span>
        <button class="plain" onClick=${() => { set(keys.filter((_, i) => i !== chosen)); choose(0); }}>remove</button>`}</div>
    <div class="line" ref=${line} onClick=${add}>
      ${keys.map((each, index) => html`<button key=${index} class="key" aria-pressed=${index === chosen} style=${{ left: `${(Math.min(each.time, seconds) / seconds) * 100}%` }}
        aria-label=${`${field.label} at ${each.time} s: ${each.value || "automatic"}`} onClick=${() => choose(index)} onKeyDown=${(e) => press(e, index)}
        onPointerDown=${(e) => { held.current = index; choose(index); e.currentTarget.setPointerCapture(e.pointerId); }}
        onPointerMove=${(e) => held.current === index && e.buttons && set(replaced(index, { time: time(e) }))}
        onPointerUp=${() => { held.current = null; }}></button>`)}</div></div>`;
}
