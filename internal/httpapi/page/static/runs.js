// One run: how it is doing, its files, and what became of each delivery.
import { blob, download, get } from "/api.js";
import { Failure, Loading, Page, State, html, useEffect, useLoad, useState } from "/ui.js";
import { deliveryStates, many, moment, open, runStates, size } from "/words.js";

export function RunPage({ id }) {
  const { data: run, problem, reload } = useLoad(() => get(`/v1/runs/${id}`), [id], { every: (r) => (open(r) ? 1500 : 15_000) });
  return html`<${Page} title=${run?.report_name} back=${run && { href: `#/reports/${run.report_id}`, label: "Report" }}
    lead=${run && html`<${State} states=${runStates} state=${run.state} />`}>
    <${Failure} problem=${problem} retry=${reload} />
    ${!run && !problem && html`<${Loading} />`}
    ${run && html`<${Run} run=${run} />`}
  <//>`;
}

function Run({ run }) {
  const files = run.files.toSorted((a, b) => isPicture(b) - isPicture(a)); // what can be seen comes first
  return html`
    <p class="quiet">${run.trigger === "schedule" ? "Scheduled for" : "Asked for"} ${moment(run.scheduled_for)}${run.finished_at && `, finished ${moment(run.finished_at)}`}.
      ${run.stands_for > 1 && ` It stands for ${run.stands_for} occurrences.`}${run.attempts > 0 && ` ${many(run.attempts, "try", "tries")} failed before.`}</p>
    ${run.reason && html`<p>${run.reason}</p>`}
    ${files.length > 0 && html`<h2>Files</h2>
      <ul class="files">${files.map((file) => html`<${File} key=${file.id} run=${run} file=${file} />`)}</ul>`}
    ${run.deliveries.length > 0 && html`<h2>Deliveries</h2>
      <ul class="list">${run.deliveries.map((d) => html`<li class="list-row" key=${d.key}>
        <${State} states=${deliveryStates} state=${d.where && d.state === "sent" ? "written" : d.state} />
        <span class="grow">${d.to.length > 0 ? d.to.join(", ") : d.type === "slack" ? "Slack" : d.destination_id}
          ${d.where && html` <a href=${`#/outbox/${d.where.split("/").pop()}`}>See the mail</a>`}
          ${d.possible_repeat && html` <span class="quiet">(possibly a repeat)</span>`}
          ${d.message && html`<br /><span class="quiet">${d.message}</span>`}</span>
      </li>`)}</ul>`}`;
}

const isPicture = (file) => file.content_type === "image/png";

function File({ run, file }) {
  const [failure, setFailure] = useState("");
  const path = `/v1/runs/${run.id}/files/${file.id}`;
  const save = () => download(path, file.name).catch((problem) => setFailure(problem.message));
  return html`<li>
    ${isPicture(file) && html`<${Picture} path=${path} file=${file} />`}
    <p><button type="button" class="link" onClick=${save}>${file.name}</button>
      <span class="quiet"> ${size(file.size)}${file.width > 0 && `, ${file.width} × ${file.height}`}</span>
      ${file.view_url && html` <a href=${file.view_url} target="_blank" rel="noopener noreferrer">Open in Tableau</a>`}</p>
    ${Object.keys(file.filters).length > 0 && html`<p class="quiet">${Object.entries(file.filters).map(([field, values]) => `${field}: ${values.join(", ")}`).join("; ")}</p>`}
    ${failure && html`<p class="failure" role="alert">${failure}</p>`}
  </li>`;
}

function Picture({ path, file }) {
  const [address, setAddress] = useState("");
  useEffect(() => {
    let made = "";
    let wanted = true;
    blob(path).then((picture) => {
      if (!wanted) return;
      made = URL.createObjectURL(picture);
      setAddress(made);
    }, () => {}); // the file's own button says what is wrong
    return () => {
      wanted = false;
      if (made) URL.revokeObjectURL(made);
    };
  }, [path]);
  return address && html`<a href=${address} target="_blank" rel="noopener"><img class="exported" src=${address} alt=${`${file.view || file.name}, as it was exported`} width=${file.width || null} height=${file.height || null} /></a>`;
}
