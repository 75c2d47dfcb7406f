import { h, render } from "/vendor/preact.mjs";
import { useCallback, useEffect, useRef, useState } from "/vendor/hooks.mjs";
import htm from "/vendor/htm.mjs";
import { blob, download, forgetToken, get, hasToken, keepToken, post, takeToken } from "/api.js";
import { away, connectionStates, date, deliveryStates, many, moment, open, runStates, size } from "/words.js";

const html = htm.bind(h);

const refreshOpen = 2_000; // milliseconds, while something runs
const refreshCalm = 15_000;

takeToken();

function App() {
  const [signedIn, setSignedIn] = useState(hasToken());
  const [refused, setRefused] = useState("");
  useEffect(() => {
    // A pasted address with a token, in a tab that is open already.
    const again = () => takeToken() && location.reload();
    addEventListener("hashchange", again);
    return () => removeEventListener("hashchange", again);
  }, []);
  const signOut = useCallback((why = "") => {
    forgetToken();
    setRefused(why);
    setSignedIn(false);
  }, []);
  const signIn = (token) => {
    keepToken(token);
    setRefused("");
    setSignedIn(true);
  };
  return signedIn ? html`<${Home} signOut=${signOut} />` : html`<${SignIn} signIn=${signIn} refused=${refused} />`;
}

function Top({ children }) {
  return html`<header class="top">
    <div class="container">
      <a class="brand" href="/"><img src="/icon.svg" alt="" width="28" height="28" /> vizpost</a>
      <nav aria-label="Main"><a href="/docs">API documentation</a>${children}</nav>
    </div>
  </header>`;
}

function SignIn({ signIn, refused }) {
  const [token, setToken] = useState("");
  const submit = (event) => {
    event.preventDefault();
    if (token.trim()) signIn(token);
  };
  return html`<${Top} />
    <main class="container narrow">
      <h1>Sign in</h1>
      ${refused && html`<p class="notice bad" role="alert">${refused}</p>`}
      <p>vizpost prints its address with the token when it starts. Open that address, or paste the token here.</p>
      <form onSubmit=${submit}>
        <label>Token
          <input type="password" name="token" autocomplete="off" autofocus required value=${token}
            onInput=${(event) => setToken(event.target.value)} />
        </label>
        <button type="submit">Sign in</button>
      </form>
      <p class="quiet">The token is kept until you close this tab.</p>
    </main>`;
}

// useData reads everything that the page shows, and again from time to time.
function useData(signOut) {
  const [data, setData] = useState(null);
  const [failure, setFailure] = useState("");
  const timer = useRef(0);
  const reading = useRef(null);

  const read = useCallback(() => {
    clearTimeout(timer.current);
    const turn = {};
    reading.current = turn;
    const outbox = get("/v1/outbox?limit=10").catch((problem) => {
      if (problem.status === 404) return null; // mail is sent, not written
      throw problem;
    });
    return Promise.all([
      get("/v1/connections?limit=100"), get("/v1/reports?limit=100"), get("/v1/runs?limit=20"),
      get("/v1/destinations?limit=100"), outbox,
    ]).then(([connections, reports, runs, destinations, mails]) => {
      if (reading.current !== turn) return;
      setFailure("");
      setData({
        connections: connections.connections, reports: reports.reports, runs: runs.runs,
        destinations: destinations.destinations, mails: mails && mails.mails,
        more: { connections: connections.next_cursor, reports: reports.next_cursor, runs: runs.next_cursor, mails: mails && mails.next_cursor },
      });
      timer.current = setTimeout(read, runs.runs.some(open) ? refreshOpen : refreshCalm);
    }).catch((problem) => {
      if (reading.current !== turn) return;
      if (problem.status === 401) {
        signOut("The token was refused. Open the address that vizpost printed at its start, or paste the token.");
        return;
      }
      setFailure(problem.message);
      timer.current = setTimeout(read, refreshCalm);
    });
  }, [signOut]);

  useEffect(() => {
    read();
    const seen = () => document.visibilityState === "visible" ? read() : clearTimeout(timer.current);
    document.addEventListener("visibilitychange", seen);
    return () => {
      document.removeEventListener("visibilitychange", seen);
      clearTimeout(timer.current);
      reading.current = null;
    };
  }, [read]);
  return { data, failure, read };
}

function Home({ signOut }) {
  const { data, failure, read } = useData(signOut);
  const [shownRun, setShownRun] = useState("");
  const [shownMail, setShownMail] = useState("");

  const showMail = (where) => {
    setShownMail(where.split("/").pop());
    requestAnimationFrame(() => document.getElementById("outbox")?.scrollIntoView({ block: "start" }));
  };
  const started = (run) => {
    setShownRun(run.id);
    read();
  };

  return html`<${Top}><button type="button" class="plain" onClick=${() => signOut()}>Sign out</button><//>
    <main class="container">
      <h1 class="hidden">Overview</h1>
      ${failure && html`<p class="notice bad" role="alert">${failure}</p>`}
      ${data === null && !failure && html`<p class="quiet" aria-busy="true">Loading…</p>`}
      ${data && html`
        <${Trouble} connections=${data.connections} destinations=${data.destinations} />
        ${data.connections.length === 0 ? html`<${FirstConnection} />` : html`
          <${Reports} data=${data} started=${started} />
          ${data.reports.length > 0 && html`<${Runs} data=${data} shown=${shownRun} show=${setShownRun} showMail=${showMail} />`}
        `}
        ${data.mails && data.connections.length > 0 && html`<${Outbox} mails=${data.mails} more=${data.more.mails} shown=${shownMail} show=${setShownMail} />`}
        ${data.connections.length > 0 && html`<${Connections} data=${data} />`}
      `}
    </main>`;
}

function Badge({ states, state }) {
  const [words, tone] = states[state] || [state, "still"];
  return html`<span class="badge ${tone}">${words}</span>`;
}

function When({ at }) {
  return html`<time datetime=${at} title=${at}>${moment(at)}</time>`;
}

// Trouble says first what somebody has to do something about.
function Trouble({ connections, destinations }) {
  const broken = connections.filter((c) => c.problem);
  const refused = destinations.filter((d) => d.state === "broken");
  return html`
    ${broken.map((c) => html`<section class="notice bad" key=${c.id} aria-label=${`Problem of the connection ${c.name}`}>
      <p><strong>${c.name}: ${c.problem.message}</strong> Its runs wait until it works again.</p>
      ${c.problem.causes.length > 0 && html`<ul>${c.problem.causes.map((cause) => html`<li>${cause.message} ${cause.remedy}</li>`)}</ul>`}
    </section>`)}
    ${refused.map((d) => html`<section class="notice bad" key=${d.id} aria-label=${`Problem of the destination ${d.name}`}>
      <p><strong>${d.name}: ${d.problem}</strong></p>
    </section>`)}`;
}

function Command({ text }) {
  const [copied, setCopied] = useState(false);
  const copy = () => navigator.clipboard.writeText(text).then(() => {
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  });
  return html`<div class="command">
    <pre><code>${text}</code></pre>
    ${navigator.clipboard && html`<button type="button" class="plain" onClick=${copy}>${copied ? "Copied" : "Copy"}</button>`}
  </div>`;
}

const curl = (path, body) => `curl ${location.origin}${path} \\
  -H "Authorization: Bearer $VIZPOST_TOKEN" \\
  -H "Content-Type: application/json" \\
  -d '${JSON.stringify(body, null, 2)}'`;

function FirstConnection() {
  return html`<section class="first">
    <h2>Connect vizpost to Tableau</h2>
    <p>There is no connection yet. In Tableau, make a personal access token (your picture → My Account Settings → Personal Access Tokens).
      Then send its name and secret with the address of your site. vizpost signs in with it at once and says whether it works.</p>
    <${Command} text=${curl("/v1/connections", {
      name: "Sales", server_url: "https://10ay.online.tableau.com", site: "acme",
      auth: { method: "personal_access_token", token_name: "vizpost", token_secret: "…" },
    })} />
    <p class="quiet">All fields are in the <a href="/docs#create-connection">API documentation</a>.</p>
  </section>`;
}

function FirstReport({ connection }) {
  return html`<div class="first">
    <p>There is no report yet. A report says which views are exported, when, and to whom. Paste a view's address as the browser shows it in Tableau.</p>
    <${Command} text=${curl("/v1/reports", {
      name: "Morning numbers", connection_id: connection.id,
      content: [{ view: `${connection.server_url}/#/${connection.site ? `site/${connection.site}/` : ""}views/Superstore/Overview`, format: "pdf" }],
      schedule: { cron: "0 9 * * MON-FRI", time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone },
      destinations: [{ type: "email", to: ["you@example.com"] }],
    })} />
    <p class="quiet">All fields are in the <a href="/docs#create-report">API documentation</a>.</p>
  </div>`;
}

function Reports({ data, started }) {
  return html`<section aria-labelledby="reports">
    <h2 id="reports">Reports</h2>
    ${data.reports.length === 0 ? html`<${FirstReport} connection=${data.connections[0]} />` : html`
      <ul class="cards">${data.reports.map((report) => html`<${Report} key=${report.id} report=${report} data=${data} started=${started} />`)}</ul>
      ${data.more.reports && html`<p class="quiet">These are the first 100 reports; the API has all of them.</p>`}`}
  </section>`;
}

// recipients says in few words to whom a report goes.
function recipients(report, destinations) {
  const people = new Set();
  const places = [];
  for (const d of report.destinations) {
    if (d.type === "email") {
      for (const address of [...(d.to || []), ...(d.cc || []), ...(d.bcc || [])]) people.add(address);
    } else {
      places.push(destinations.find((kept) => kept.id === d.destination_id)?.name || "Slack");
    }
  }
  const mail = people.size === 1 ? [...people] : people.size > 1 ? [many(people.size, "recipient")] : [];
  return [...mail, ...places].join(", ");
}

function Report({ report, data, started }) {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState("");
  const run = async () => {
    setBusy(true);
    setFailure("");
    try {
      started(await post(`/v1/reports/${report.id}/runs`, {}, { "Idempotency-Key": crypto.randomUUID?.() || String(Math.random()) }));
    } catch (problem) {
      setFailure([problem.message, ...problem.fields.map((f) => f.message)].join(" "));
    } finally {
      setBusy(false);
    }
  };
  return html`<li class="card">
    <div class="head">
      <h3>${report.name}</h3>
      <button type="button" class="small" disabled=${busy} aria-busy=${busy} onClick=${run} aria-label=${`Run ${report.name} now`}>Run now</button>
    </div>
    <dl>
      <dt>What</dt>
      <dd>${report.content.map((c) => html`<span class="view">${c.view_name || c.view} <span class="format">${c.format}</span></span> `)}</dd>
      <dt>To</dt>
      <dd>${recipients(report, data.destinations)}</dd>
      <dt>When</dt>
      <dd>${report.schedule ? report.schedule.description : "Only when it is asked to"}</dd>
      <dt>Next</dt>
      <dd>${!report.enabled ? html`<span class="badge still">Paused</span>` : report.next_run_at
        ? html`<${When} at=${report.next_run_at} /> <span class="quiet">(${away(report.next_run_at)})</span>` : html`<span class="quiet">Nothing is scheduled</span>`}</dd>
    </dl>
    <p class="failure" role="status">${failure}</p>
  </li>`;
}

function Runs({ data, shown, show, showMail }) {
  return html`<section aria-labelledby="runs">
    <h2 id="runs">Latest runs</h2>
    ${data.runs.length === 0 ? html`<p class="quiet">Nothing has run yet. Use “Run now” to see what a report looks like.</p>` : html`
      <ul class="rows">${data.runs.map((run) => html`<${Run} key=${run.id} run=${run} shown=${shown === run.id}
        toggle=${() => show(shown === run.id ? "" : run.id)} showMail=${showMail} />`)}</ul>
      ${data.more.runs && html`<p class="quiet">These are the latest 20 runs; the API has all of them.</p>`}`}
  </section>`;
}

// briefly says in one line how a run is doing.
function briefly(run) {
  const p = run.progress;
  switch (run.state) {
    case "queued": return run.reason || (new Date(run.not_before) - Date.now() > 60_000 ? `Next try ${away(run.not_before)}` : "");
    case "running": return `${p.files_done} of ${many(p.files_total, "file")} exported`;
    case "delivered": return run.dry_run ? "A trial: nothing was sent" : run.reason || many(run.files.length, "file");
    default: return run.reason;
  }
}

function Run({ run, shown, toggle, showMail }) {
  const id = `run-${run.id}`;
  return html`<li>
    <button type="button" class="row" aria-expanded=${shown} aria-controls=${id} onClick=${toggle}>
      <${Badge} states=${runStates} state=${run.state} />
      <span class="name">${run.report_name}</span>
      <span class="brief">${briefly(run)}</span>
      <span class="when"><${When} at=${run.scheduled_for} /></span>
    </button>
    <div id=${id} class="detail" hidden=${!shown}>${shown && html`<${RunDetail} run=${run} showMail=${showMail} />`}</div>
  </li>`;
}

function RunDetail({ run, showMail }) {
  const [whole, setWhole] = useState(null);
  const [failure, setFailure] = useState("");
  useEffect(() => {
    // The list is read again from time to time; each time it has changed, so
    // have the deliveries.
    let wanted = true;
    get(`/v1/runs/${run.id}`).then((read) => wanted && setWhole(read), (problem) => wanted && setFailure(problem.message));
    return () => { wanted = false; };
  }, [run]);
  if (failure) return html`<p class="failure" role="alert">${failure}</p>`;
  if (!whole) return html`<p class="quiet" aria-busy="true">Loading…</p>`;
  const files = whole.files.toSorted((a, b) => isPicture(b) - isPicture(a)); // what can be seen comes first
  return html`
    <p class="quiet">${whole.trigger === "schedule" ? "Scheduled for" : "Asked for"} ${moment(whole.scheduled_for)}${whole.finished_at && `, finished ${moment(whole.finished_at)}`}.
      ${whole.stands_for > 1 && ` It stands for ${whole.stands_for} occurrences.`}${whole.attempts > 0 && ` ${many(whole.attempts, "try", "tries")} failed before.`}</p>
    ${whole.reason && whole.state === "running" && html`<p>${whole.reason}</p>`}
    ${files.length > 0 && html`<h4>Files</h4>
      <ul class="files">${files.map((file) => html`<${File} key=${file.id} run=${whole} file=${file} />`)}</ul>`}
    ${whole.deliveries.length > 0 && html`<h4>Deliveries</h4>
      <ul class="deliveries">${whole.deliveries.map((d) => html`<li key=${d.key}>
        <${Badge} states=${deliveryStates} state=${d.where && d.state === "sent" ? "written" : d.state} />
        <span>${d.to.length > 0 ? d.to.join(", ") : d.type === "slack" ? "Slack" : d.destination_id}
          ${d.where && html` <button type="button" class="link" onClick=${() => showMail(d.where)}>see it in the outbox</button>`}
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

function Outbox({ mails, more, shown, show }) {
  return html`<section aria-labelledby="outbox">
    <h2 id="outbox">Outbox</h2>
    <p class="quiet">No mail server is configured, so mail is written to a folder and not sent. This is what would have gone out.</p>
    ${mails.length === 0 ? html`<p class="quiet">There is no mail yet.</p>` : html`
      <ul class="rows">${mails.map((mail) => html`<li key=${mail.name}>
        <button type="button" class="row" aria-expanded=${shown === mail.name} aria-controls=${`mail-${mail.name}`} onClick=${() => show(shown === mail.name ? "" : mail.name)}>
          <span class="name">${mail.subject || mail.name}</span>
          <span class="brief">${mail.to.length > 2 ? `${mail.to[0]} and ${mail.to.length - 1} more` : mail.to.join(", ")}</span>
          <span class="when"><${When} at=${mail.written_at} /></span>
        </button>
        <div id=${`mail-${mail.name}`} class="detail" hidden=${shown !== mail.name}>${shown === mail.name && html`<${Mail} name=${mail.name} />`}</div>
      </li>`)}</ul>
      ${more && html`<p class="quiet">These are the latest 10 mails; the folder has all of them.</p>`}`}
  </section>`;
}

function Mail({ name }) {
  const [mail, setMail] = useState(null);
  const [failure, setFailure] = useState("");
  const path = `/v1/outbox/${encodeURIComponent(name)}`;
  useEffect(() => {
    let wanted = true;
    get(path).then((read) => wanted && setMail(read), (problem) => wanted && setFailure(problem.message));
    return () => { wanted = false; };
  }, [path]);
  if (failure) return html`<p class="failure" role="alert">${failure}</p>`;
  if (!mail) return html`<p class="quiet" aria-busy="true">Loading…</p>`;
  const save = (from, as) => download(from, as).catch((problem) => setFailure(problem.message));
  return html`
    <dl class="envelope">
      <dt>From</dt><dd>${mail.from}</dd>
      <dt>To</dt><dd>${mail.to.join(", ")}</dd>
      ${mail.cc.length > 0 && html`<dt>Cc</dt><dd>${mail.cc.join(", ")}</dd>`}
      ${mail.attachments.length > 0 && html`<dt>Attached</dt><dd>${mail.attachments.map((a, i) => html`
        <button type="button" class="link" key=${i} onClick=${() => save(`${path}/attachments/${i}`, a.name)}>${a.name}</button> <span class="quiet">${size(a.size)}</span> `)}</dd>`}
    </dl>
    ${mail.html ? html`<${Frame} title=${mail.subject} text=${mail.html} />` : html`<pre class="plain-mail">${mail.text}</pre>`}
    <p><button type="button" class="link" onClick=${() => save(`${path}/raw`, name)}>Download the mail</button></p>`;
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

function Connections({ data }) {
  return html`<section aria-labelledby="connections">
    <h2 id="connections">Connections</h2>
    <ul class="cards">${data.connections.map((c) => html`<${Connection} key=${c.id} connection=${c}
      reports=${data.reports.filter((r) => r.connection_id === c.id).length} />`)}</ul>
    ${data.more.connections && html`<p class="quiet">These are the first 100 connections; the API has all of them.</p>`}
  </section>`;
}

function Connection({ connection: c, reports }) {
  const life = c.token_life;
  return html`<li class="card">
    <div class="head"><h3>${c.name}</h3><${Badge} states=${connectionStates} state=${c.state} /></div>
    <dl>
      <dt>Site</dt><dd><a href=${c.server_url} target="_blank" rel="noopener noreferrer">${c.server_url.replace(/^https?:\/\//, "")}</a>${c.site && ` / ${c.site}`}</dd>
      <dt>Signs in</dt><dd>${c.auth.method === "personal_access_token" ? html`with the token <strong>${c.auth.token_name}</strong>` : html`with user name and password`}${c.identity.user_name && html`, as <strong>${c.identity.user_name}</strong>`}</dd>
      ${c.auth.method === "personal_access_token" && html`<dt>Token ends</dt><dd>${life.expires_at ? html`${date(life.expires_at)} <span class="quiet">(${away(life.expires_at)})</span>` : html`<span class="quiet">not known</span>`}</dd>`}
      <dt>Used by</dt><dd>${many(reports, "report")}</dd>
    </dl>
  </li>`;
}

render(html`<${App} />`, document.getElementById("app"));
