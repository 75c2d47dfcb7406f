// The outbox: where no mail server is configured, this is what would have gone
// out.
import { download, get } from "/api.js";
import { Empty, Failure, Loading, Page, When, html, useEffect, useLoad, useRef, useState } from "/ui.js";
import { size } from "/words.js";

const explained = "No mail server is configured, so mail is written to a folder and not sent. This is what would have gone out.";

export function Outbox() {
  const { data, problem, reload } = useLoad(() => get("/v1/outbox?limit=50"), [], { every: 10_000 });
  return html`<${Page} title="Outbox" lead=${explained} back=${{ href: "#/", label: "Start" }}>
    ${problem?.status === 404 ? html`<${Empty} icon="mail" title="Mail is sent">There is no outbox here: mail goes out by a mail server.<//>`
      : html`<${Failure} problem=${problem} retry=${reload} />`}
    ${!data && !problem && html`<${Loading} />`}
    ${data && (data.mails.length === 0 ? html`<${Empty} icon="mail" title="There is no mail yet">Run a report, and its mails lie here.<//>`
      : html`<${Mails} mails=${data.mails} />`)}
    ${data?.next_cursor && html`<p class="quiet">These are the latest 50 mails; the folder has all of them.</p>`}
  <//>`;
}

// Mails is a list of mails, each with its address on the page.
export function Mails({ mails }) {
  return html`<ul class="list">${mails.map((mail) => html`<li class="list-row" key=${mail.name}>
    <div class="grow"><a class="strong" href=${`#/outbox/${encodeURIComponent(mail.name)}`}>${mail.subject || mail.name}</a>
      <p class="quiet">${mail.to.length > 2 ? `${mail.to[0]} and ${mail.to.length - 1} more` : mail.to.join(", ")}</p></div>
    <span class="quiet small nowrap"><${When} at=${mail.written_at} /></span>
  </li>`)}</ul>`;
}

export function MailPage({ name }) {
  const path = `/v1/outbox/${encodeURIComponent(name)}`;
  const { data: mail, problem, reload } = useLoad(() => get(path), [path]);
  const [failure, setFailure] = useState(null);
  const save = (from, as) => download(from, as).catch(setFailure);
  return html`<${Page} title=${mail ? mail.subject || name : "Mail"} back=${{ href: "#/outbox", label: "Outbox" }}>
    <${Failure} problem=${failure || problem} retry=${!failure && reload} />
    ${!mail && !problem && html`<${Loading} />`}
    ${mail && html`<div class="card mail-card">
      <dl class="facts">
        <div><dt>From</dt><dd>${mail.from}</dd></div>
        <div><dt>To</dt><dd>${mail.to.join(", ")}</dd></div>
        ${mail.cc.length > 0 && html`<div><dt>Cc</dt><dd>${mail.cc.join(", ")}</dd></div>`}
        ${mail.attachments.length > 0 && html`<div><dt>Attached</dt><dd>${mail.attachments.map((a, i) => html`<span class="attached" key=${i}>
          <button type="button" class="link" onClick=${() => save(`${path}/attachments/${i}`, a.name)}>${a.name}</button> <span class="quiet">${size(a.size)}</span></span> `)}</dd></div>`}
      </dl>
      ${mail.html ? html`<${Frame} title=${mail.subject} text=${mail.html} />` : html`<pre class="plain-mail">${mail.text}</pre>`}
      <p><button type="button" class="link" onClick=${() => save(`${path}/raw`, name)}>Download the mail</button></p>
    </div>`}
  <//>`;
}

// Frame shows a mail's HTML in a frame that is an origin of its own.
function Frame({ title, text }) {
  const frame = useRef(null);
  const [height, setHeight] = useState(320);
  useEffect(() => {
    const heard = (event) => {
      if (event.source !== frame.current?.contentWindow) return;
      if (event.data?.ready) frame.current.contentWindow.postMessage({ html: text }, "*");
      if (typeof event.data?.height === "number") setHeight(Math.min(Math.max(event.data.height, 80), 6000));
    };
    addEventListener("message", heard);
    return () => removeEventListener("message", heard);
  }, [text]);
  return html`<iframe ref=${frame} class="mail" title=${`Mail: ${title}`} src="/mail.html" height=${height}
    sandbox="allow-scripts allow-popups allow-popups-to-escape-sandbox"></iframe>`;
}
