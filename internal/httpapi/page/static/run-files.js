// The files of a run, to look at and to take along.
import { blob, download } from "/api.js";
import { Button, Disclosure, Failure, Icon, Section, When, html, useEffect, useState } from "/ui.js";
import { many, size } from "/words.js";

const isPicture = (file) => /^image\/(png|svg\+xml)/.test(file.content_type);

export function RunFiles({ run }) {
  if (run.files.length === 0) return null;
  const files = run.files.toSorted((a, b) => isPicture(b) - isPicture(a)); // what can be seen comes first
  return html`<${Section} title="Files"><ul class="run-files">${files.map((file) => html`<${File} key=${file.id} run=${run} file=${file} />`)}</ul><//>`;
}

// What a run knows of its filters.
const verdicts = {
  applied: (file) => ` (verified on ${file.verified_on})`,
  unknown: () => " (could not be verified, and messages do not name them)",
};

function File({ run, file }) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const path = `/v1/runs/${run.id}/files/${file.id}`;
  const save = async () => {
    setBusy(true);
    await download(path, file.name).then(() => setProblem(null), setProblem);
    setBusy(false);
  };
  const filters = Object.entries(file.filters).map(([field, values]) => `${field}: ${values.join(", ")}`).join("; ");
  return html`<li class=${`card run-file${isPicture(file) ? " seen" : ""}`}>
    ${isPicture(file) && html`<${Picture} path=${path} file=${file} />`}
    <div class="run-file-text">
      <div class="run-file-head"><span class="kind"><${Icon} name="file" /></span>
        <div class="grow"><h3>${file.name}</h3><p class="quiet small">${[file.size > 0 && size(file.size), file.rows !== null && many(file.rows, "row"), file.width > 0 && `${file.width} × ${file.height}`].filter(Boolean).join(" · ")} · <${When} at=${file.exported_at} /></p></div>
        ${file.size > 0 && html`<${Button} small busy=${busy} onClick=${save} aria-label=${`Download ${file.name}`}>Download<//>`}</div>
      ${file.left_out === "no_data" && html`<p class="small">Left out of the message because it has no data.</p>`}
      ${file.formulas_escaped && html`<p class="small">Values that a spreadsheet would run as formulas have an apostrophe in front.</p>`}
      ${filters && html`<p class="small">Filters: ${filters}${verdicts[file.filter_verdict]?.(file)}</p>`}
      ${file.filter_evidence && html`<p class="quiet small">${file.filter_evidence}</p>`}
      <${Failure} problem=${problem} />
      <div class="small run-file-more">${file.view_url && html`<a href=${file.view_url} target="_blank" rel="noopener noreferrer">Open ${file.view || file.workbook} in Tableau</a>`}
        <${Disclosure} title="Proof"><p class="quiet">SHA-256</p><code class="anywhere">${file.sha256}</code><//></div>
    </div>
  </li>`;
}

const isDrawing = (file) => file.content_type.startsWith("image/svg+xml");

// dataAddress gives the address of a picture as a data: URI, which no browser
// opens as a page of ours.
const dataAddress = (picture) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result);
  reader.onerror = () => reject(reader.error);
  reader.readAsDataURL(picture);
});

// Picture shows a picture that is fetched with the sign-in. Its place is kept
// free while it is. A drawing may hold scripts: it is shown as a picture alone,
// where none run, and is never opened as a page.
function Picture({ path, file }) {
  const [address, setAddress] = useState("");
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    let made = "";
    let wanted = true;
    blob(path).then(async (picture) => {
      const drawing = isDrawing(file) ? await dataAddress(picture) : "";
      if (!wanted) return;
      made = drawing ? "" : URL.createObjectURL(picture);
      setAddress(drawing || made);
    }).catch((failure) => wanted && setProblem(failure));
    return () => {
      wanted = false;
      if (made) URL.revokeObjectURL(made);
    };
  }, [path]);
  if (problem) return html`<${Failure} problem=${problem} />`;
  const alt = `${file.view || file.name}, as it was exported`;
  if (address && isDrawing(file)) return html`<span class="picture"><img class="exported" src=${address} alt=${alt} width=${file.width || null} height=${file.height || null} /></span>`;
  return address ? html`<a class="picture" href=${address} target="_blank" rel="noopener" aria-label=${`${alt}, in full size`}><img class="exported" src=${address} alt=${alt} width=${file.width || null} height=${file.height || null} /></a>`
    : html`<div class="picture waiting" role="status"><span class="visually-hidden">Loading the picture…</span></div>`;
}
