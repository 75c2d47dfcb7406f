// Picking views: search what the connection sees, or paste an address.
import { get, post } from "/api.js";
import { Button, Dialog, Failure, Icon, Loading, Notice, announce, html, useEffect, useId, useMemo, useRef, useState } from "/ui.js";
import { Thumb, previewPath, usePictures } from "/thumbs.js";
import { useDelayed } from "/schedule.js";
import { many } from "/words.js";

const isAddress = (text) => /^https?:\/\//i.test(text) || /(^|\/)(views|sheets|workbooks)\//i.test(text) || /^[\w-]+\.[\w.-]+\/\S*#?\//.test(text);

// ViewPicker calls pick with what was chosen, as [{view, custom_view, workbook,
// filters, format}]: all but view come from a pasted address, and of a workbook
// there is no view. With single, one is chosen and that is all.
export function ViewPicker({ connection, single = false, pick, close }) {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState([]); // views
  const pictures = usePictures();
  const asked = useDelayed(text.trim(), 250);
  const address = isAddress(asked);
  const found = useViews(connection.id, address ? null : asked);
  const resolved = useAddress(connection.id, address ? asked : "");
  const list = useRef(null);

  const turn = (view) => {
    if (single) {
      pick([{ view }]);
      return;
    }
    const without = chosen.filter((v) => v.id !== view.id);
    const taken = without.length === chosen.length;
    setChosen(taken ? [...without, view] : without);
    announce(`${view.name} ${taken ? "chosen" : "no longer chosen"}. ${many(without.length + (taken ? 1 : 0), "view")} chosen.`);
  };
  const typed = (event) => {
    if (event.key === "ArrowDown" && list.current) {
      event.preventDefault();
      list.current.focus();
    }
    if (event.key === "Enter") {
      event.preventDefault();
      if (resolved.found) pick([...chosen.map((view) => ({ view })), resolved.found]);
      else list.current?.focus();
    }
  };
  const take = () => pick([...chosen.map((view) => ({ view })), ...(resolved.found ? [resolved.found] : [])]);
  const count = chosen.length + (resolved.found ? 1 : 0);

  return html`<${Dialog} wide title=${single ? "Choose another view" : "Choose views"} lead=${`What ${connection.identity?.user_name || connection.name} can see on ${connection.site || connection.name}.`} close=${close}
    footer=${(leave) => html`${!single && html`<p class="quiet">${count === 0 ? "Nothing chosen yet" : `${many(count, "view")} chosen`}</p>`}
      <${Button} onClick=${leave}>Cancel<//>
      ${(!single || resolved.found) && html`<${Button} kind="primary" onClick=${take} disabled=${count === 0}>${single ? "Use this view" : count > 1 ? `Add ${count} views` : "Add view"}<//>`}`}>
    <div class="picker">
      <div class="search-box"><${Icon} name="search" />
        <input type="search" data-first aria-label="Search for a view, or paste its address" placeholder="Search by name, workbook or project, or paste an address"
          value=${text} autocomplete="off" spellcheck=${false} onInput=${(event) => setText(event.target.value)} onKeyDown=${typed} /></div>
      ${address ? html`<${Resolved} state=${resolved} connection=${connection} pictures=${pictures} />`
        : html`<${Found} found=${found} asked=${asked} connection=${connection} pictures=${pictures} chosen=${chosen} turn=${turn} list=${list} multiple=${!single}
            type=${(letter) => { setText(text + letter); document.querySelector(".picker input").focus(); }} />`}
    </div>
  <//>`;
}

// useViews reads the views that match, a page at a time. null asks for none.
function useViews(connection, search) {
  const [state, setState] = useState({ views: null, cursor: null, problem: null, busy: false });
  const turn = useRef(0);
  const read = (cursor, before) => {
    const mine = ++turn.current;
    setState((s) => ({ ...s, busy: true, problem: null }));
    const query = new URLSearchParams({ limit: "60", search, ...(cursor ? { cursor } : {}) });
    get(`/v1/connections/${connection}/views?${query}`).then(
      (answer) => mine === turn.current && setState({ views: [...before, ...answer.views], cursor: answer.next_cursor, problem: null, busy: false }),
      (problem) => mine === turn.current && setState({ views: before.length ? before : null, cursor: null, problem, busy: false }));
  };
  useEffect(() => {
    if (search !== null) read("", []);
    return () => { turn.current++; };
  }, [connection, search]);
  return { ...state, more: () => read(state.cursor, state.views), again: () => read("", []) };
}

// useAddress asks what an address leads to.
function useAddress(connection, address) {
  const [state, setState] = useState({});
  useEffect(() => {
    if (!address) {
      setState({});
      return undefined;
    }
    const stop = new AbortController();
    setState({ busy: true });
    post(`/v1/connections/${connection}/views/resolve`, { view: address }, { signal: stop.signal }).then(
      (answer) => {
        setState({ found: answer });
        announce(`This address leads to ${answer.view ? `${answer.view.name} in ${answer.view.workbook}` : `the workbook ${answer.workbook.name}`}.`);
      },
      (problem) => stop.signal.aborted || setState({ problem }));
    return () => stop.abort();
  }, [connection, address]);
  return state;
}

function Resolved({ state, connection, pictures }) {
  if (state.busy) return html`<${Loading} lines=${1} />`;
  if (state.problem) return html`<${Notice} tone="bad" alert title=${state.problem.fields?.[0]?.message || state.problem.message} />`;
  if (!state.found) return null;
  const { view, workbook, filters, format, custom_view: custom } = state.found;
  const carried = Object.entries(filters);
  return html`<div class="resolved">
    <${Thumb} pictures=${pictures} path=${view && previewPath(connection.id, view.id)} />
    <div><p class="quiet small">This address leads to</p>
      <p class="strong">${view ? view.name : workbook.name}${custom && ` (${custom.name})`}</p>
      <p class="quiet small">${view ? [view.workbook, view.project].filter(Boolean).join(" · ") : "The whole workbook"}</p>
      ${carried.length > 0 && html`<p class="small">Filters in the address are taken over: ${carried.map(([field, values]) => `${field}: ${values.join(", ")}`).join("; ")}</p>`}
      ${format && html`<p class="small">It asks for ${format.toUpperCase()}.</p>`}</div>
  </div>`;
}

function Found({ found, asked, ...rest }) {
  const { views, cursor, problem, busy, more, again } = found;
  useEffect(() => {
    if (views && document.activeElement === document.body) rest.list.current?.focus(); // what read more is gone
    if (views && asked) announce(views.length === 0 ? "No view matches." : `${views.length}${cursor ? " or more" : ""} views match.`);
  }, [views]);
  if (problem) return html`<${Failure} problem=${problem} retry=${again} />`;
  if (!views) return html`<${Loading} />`;
  if (views.length === 0) {
    return html`<p class="no-views quiet">${asked ? `No view has “${asked}” in its name, workbook or project.` : "This connection sees no views. Its user needs permission to view them in Tableau."}</p>`;
  }
  return html`<${List} views=${views} ...${rest} />
    ${cursor && html`<div class="more"><${Button} small busy=${busy} onClick=${more}>Load more<//></div>`}`;
}

// List is a listbox: arrows move, Enter or the space bar chooses, letters go on
// with the search.
function List({ views, connection, pictures, chosen, turn, list, multiple, type }) {
  const base = useId();
  const [active, setActive] = useState("");
  const groups = useMemo(() => {
    const found = new Map();
    for (const view of views) {
      const name = [view.project, view.workbook].filter(Boolean).join(" / ") || "Other";
      found.set(name, [...(found.get(name) || []), view]);
    }
    return [...found];
  }, [views]);
  const inOrder = groups.flatMap(([, members]) => members);
  const current = inOrder.some((v) => v.id === active) ? active : inOrder[0].id;
  const idOf = (view) => `${base}-${view}`;

  const move = (id) => {
    setActive(id);
    document.getElementById(idOf(id))?.scrollIntoView({ block: "nearest" });
  };
  const pressed = (event) => {
    const at = inOrder.findIndex((v) => v.id === current);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: inOrder.length - 1 }[event.key];
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = beside(idOf(current), event.key === "ArrowDown" ? 1 : -1, inOrder.map((v) => idOf(v.id)));
      if (next >= 0) move(inOrder[next].id);
      else if (event.key === "ArrowUp") document.querySelector(".picker input").focus();
    } else if (to !== undefined) {
      event.preventDefault();
      move(inOrder[Math.min(Math.max(to, 0), inOrder.length - 1)].id);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      turn(inOrder[at]);
    } else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      type(event.key);
    }
  };
  return html`<div class="views" role="listbox" tabindex="0" ref=${list} aria-label="Views" aria-multiselectable=${multiple ? "true" : undefined}
      aria-activedescendant=${idOf(current)} onKeyDown=${pressed}>
    ${groups.map(([name, members], g) => html`<div role="group" aria-labelledby=${`${base}-g${g}`} key=${name}>
      <p class="group" id=${`${base}-g${g}`} role="presentation">${name}</p>
      <div class="tiles" role="presentation">${members.map((view) => {
        const taken = chosen.some((v) => v.id === view.id);
        return html`<div class=${`tile${view.id === current ? " active" : ""}`} role="option" id=${idOf(view.id)} key=${view.id} aria-selected=${String(taken)}
            onClick=${() => { setActive(view.id); turn(view); }}>
          <${Thumb} pictures=${pictures} path=${previewPath(connection.id, view.id)} />
          <span class="tile-name">${view.name}${view.sheet_type && html` <small>${view.sheet_type}</small>`}</span>
          ${taken && html`<span class="tick"><${Icon} name="check" size=${14} /></span>`}
        </div>`;
      })}</div>
    </div>`)}
  </div>`;
}

// beside gives the index of what lies nearest in the next row below (1) or
// above (-1); -1 if there is none.
function beside(from, way, ids) {
  const here = document.getElementById(from).getBoundingClientRect();
  const middle = here.left + here.width / 2;
  let best = -1;
  let least = Infinity;
  ids.forEach((id, i) => {
    const there = document.getElementById(id).getBoundingClientRect();
    const down = (there.top - here.top) * way;
    if (down < here.height / 2) return;
    const far = down * 100 + Math.abs(there.left + there.width / 2 - middle);
    if (far < least) [best, least] = [i, far];
  });
  return best;
}
