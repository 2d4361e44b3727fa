// A recipe's settings as sliders, choices and texts; names, ranges, defaults and help come from the server.

import { html, useState } from "./vendor/preact-htm.js";

const shown = (value) => (typeof value === "number" ? String(Math.round(value * 1e6) / 1e6) : value ?? "");

function read(text, field) {
  const trimmed = text.trim();
  if (trimmed === "") return undefined;
  return field.type === "number" && trimmed !== "auto" && !Number.isNaN(Number(trimmed)) ? Number(trimmed) : trimmed;
}

// A text that is taken when it is finished; what is being typed outlives the events that draw the page anew.
export function Text({ value, onTaken, tag = "input", ...rest }) {
  const [draft, type] = useState(null);
  const take = (e) => { type(null); onTaken(e.target.value); };
  return html`<${tag} ...${tag === "input" ? { type: "text", ...rest } : rest} value=${draft ?? value} onInput=${(e) => type(e.target.value)}
    onChange=${take} onBlur=${() => type(null)} />`;
}

export function Field({ field, value, nets, onChange }) {
  const id = `field-${field.name}`;
  const set = value !== undefined;
  const now = set ? value : field.default;
  const reset = set && html`
    <button class="plain" onClick=${() => onChange(undefined)} aria-label=${`Reset ${field.label}`}>reset</button>`;
  const help = html`<p class="help" id=${`${id}-help`}>${field.help}</p>`;
  if (field.type === "boolean") {
    return html`<div class="field">
      <div class="row tight"><label class="check"><input type="checkbox" checked=${now} aria-describedby=${`${id}-help`}
        onChange=${(e) => onChange(e.target.checked)} /> <span>${field.label}</span></label>${reset}</div>${help}</div>`;
  }
  const choices = field.name === "net" ? nets.map((net) => [net.name, net.title]) : field.choices.map((each) => [each, each]);
  if (field.type === "choice" || field.name === "net") {
    return html`<div class="field">
      <div class="name"><label for=${id}>${field.label}</label>${reset}</div>
      <select id=${id} value=${now} aria-describedby=${`${id}-help`} onChange=${(e) => onChange(e.target.value)}>
        ${choices.map(([name, title]) => html`<option value=${name} selected=${name === now}>${title}</option>`)}
      </select>${help}</div>`;
  }
  const text = html`<${Text} id=${id} value=${shown(now)} title=${field.must_be} aria-describedby=${`${id}-help`}
    inputmode=${field.type === "number" ? "decimal" : "text"} placeholder=${field.default === null ? "automatic" : ""}
    onTaken=${(text) => onChange(read(text, field))} />`;
  if (field.type === "number") {
    return html`<div class="field">
      <div class="name"><label for=${id}>${field.label}</label>${reset}${text}</div>
      <input type="range" aria-label=${`${field.label}, slider`} min=${field.least} max=${field.end} step=${field.step}
        value=${typeof now === "number" ? now : field.least} onInput=${(e) => onChange(Number(e.target.value))} />${help}</div>`;
  }
  return html`<div class="field"><div class="name"><label for=${id}>${field.label}</label>${reset}</div>${text}${help}</div>`;
}
