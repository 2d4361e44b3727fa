// The API, as openapi.json describes it: each request, what it takes, and what it answers.

import { html, render } from "./vendor/preact-htm.js";
import { paint } from "./theme.js";

function kind(schema = {}) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(kind).join(" or ");
  return schema.type === "array" ? `list of ${kind(schema.items)}` : schema.type ?? "anything";
}

function Values({ title, values }) {
  if (!values.length) return null;
  return html`<details open><summary>${title}</summary><table><tbody>${values.map((each) => html`<tr>
    <th scope="row"><code>${each.name}</code></th><td>${kind(each.schema)}${each.required ? "" : ", optional"}</td><td>${each.about}</td></tr>`)}</tbody></table></details>`;
}

function fields({ properties = {}, required = [] }) {
  return Object.entries(properties).map(([name, schema]) => ({ name, schema, required: required.includes(name), about: schema.description }));
}

function Request({ method, path, facts, schemas }) {
  const query = (facts.parameters ?? []).filter((each) => each.in !== "path").map((each) => ({ ...each, about: each.description ?? each.schema.description }));
  const body = facts.requestBody?.content?.["application/json"]?.schema?.$ref?.split("/").pop();
  return html`<section class="card"><h2><code>${method.toUpperCase()} ${path}</code></h2><p>${facts.description}</p>
    <${Values} title="Parameters" values=${query} />
    ${body && html`<${Values} title=${`Body: ${body}, as JSON`} values=${fields(schemas[body])} />`}</section>`;
}

function Api({ described }) {
  const schemas = described.components?.schemas ?? {};
  const requests = Object.entries(described.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, facts]) => ({ method, path, facts })));
  return html`<h1>The API of ${described.info.title} ${described.info.version}</h1>
    <p>For scripts; <a href="openapi.json">openapi.json</a> has the same for tools. With a token, send it as <code>Authorization: Bearer TOKEN</code>.</p>
    ${requests.map((each) => html`<${Request} key=${each.method + each.path} ...${each} schemas=${schemas} />`)}`;
}

paint(localStorage.theme);
const place = document.getElementById("api");
fetch("openapi.json").then((answer) => answer.json()).then((described) => { place.textContent = ""; render(html`<${Api} described=${described} />`, place); });
