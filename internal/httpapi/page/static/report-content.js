// What a report exports: its views, each with its format, filters and options.
import { emptyWords, formats, nameOf, newContent, newFilter, pageSizes, replaced, tellsRows } from "/report-draft.js";
import { Check, Chips, Choice, Pills, Template, Text, focusField, splitLines, useWrong } from "/report-fields.js";
import { features } from "/features.js";
import { Button, Disclosure, Icon, html, useEffect, useRef, useState } from "/ui.js";
import { Thumb, previewPath, usePictures } from "/thumbs.js";
import { ViewPicker } from "/view-picker.js";

const pageSizeWords = { unspecified: "As large as the view", a3: "A3", a4: "A4", a5: "A5", b4: "B4", b5: "B5" };
const words = (size) => pageSizeWords[size] || size[0].toUpperCase() + size.slice(1);

export function ContentEditor({ connection, value, change }) {
  const [picking, setPicking] = useState(null); // null, "more", or the key of the one to replace
  const [able, setAble] = useState(null);
  const pictures = usePictures();
  const wrong = useWrong("content");
  useEffect(() => { features().then(setAble); }, []);

  const picked = (views) => {
    if (picking === "more") change([...value, ...views.map(newContent)]);
    else change(value.map((c) => (c.key === picking ? replaced(c, views[0]) : c)));
    setPicking(null);
  };
  return html`<div class="contents">
    ${value.map((c, i) => html`<${Content} key=${c.key} path=${`content[${i}]`} connection=${connection} pictures=${pictures} able=${able} value=${c}
      change=${(more) => change(value.map((old) => (old.key === c.key ? { ...old, ...more } : old)))}
      replace=${() => setPicking(c.key)} remove=${() => { change(value.filter((old) => old.key !== c.key)); focusField("content"); }} />`)}
    <div class=${value.length === 0 ? "pick-first" : ""}>
      ${value.length === 0 && html`<p class="quiet">${connection ? "Choose one or more views. They go out together, in one message." : "Choose a connection first."}</p>`}
      <${Button} icon="plus" onClick=${() => setPicking("more")} disabled=${!connection} data-field="content" aria-invalid=${wrong ? "true" : undefined}
        aria-describedby=${wrong ? "content-error" : undefined}>${value.length === 0 ? "Choose views" : "Add another view"}<//>
      ${wrong && html`<p class="error" id="content-error"><${Icon} name="alert" size=${14} /><span>${wrong}</span></p>`}
    </div>
    ${picking && html`<${ViewPicker} connection=${connection} single=${picking !== "more"} pick=${picked} close=${() => setPicking(null)} />`}
  </div>`;
}

function Content({ path, connection, pictures, able, value: c, change, replace, remove }) {
  const wrong = useWrong(path) || useWrong(`${path}.view`);
  const book = !c.view_name && c.scope === "workbook"; // there is no view to export alone
  const offered = (able?.formats || ["png", "pdf", "csv", "xlsx"]).filter((f) => !book || f === "pdf" || f === "pptx").toSorted((a, b) => order.indexOf(a) - order.indexOf(b));
  const whole = c.format === "pptx" || (c.format === "pdf" && c.scope === "workbook");
  const data = c.format === "csv" || c.format === "xlsx";
  const sized = c.format === "png" || c.format === "svg" || (c.format === "pdf" && c.scope === "view");
  return html`<article class="content" aria-label=${nameOf(c)}>
    <header class="content-head">
      <${Thumb} pictures=${pictures} path=${connection && c.view_id && previewPath(connection.id, c.view_id)} />
      <div class="grow"><h3>${nameOf(c)}</h3><p class="quiet small">${c.view_name ? c.workbook : "Workbook"}</p></div>
      <div class="actions"><${Button} small kind="quiet" onClick=${replace} aria-label=${`Change the view ${nameOf(c)}`} data-field=${`${path}.view`} aria-invalid=${wrong ? "true" : undefined}>Change<//>
        <button type="button" class="icon-button" aria-label=${`Remove ${nameOf(c)}`} onClick=${remove}><${Icon} name="trash" /></button></div>
    </header>
    ${wrong && html`<p class="error"><${Icon} name="alert" size=${14} /><span>${wrong}</span></p>`}
    <${Pills} label="Send as" path=${`${path}.format`} value=${c.format} change=${(format) => change({ format })}
      options=${offered.map((f) => [f, formats[f]?.[0] || f, formats[f]?.[1] === formats[f]?.[0] ? "" : formats[f]?.[1]])} />
    ${c.format === "pdf" && html`<div class="row-of-fields">
      ${able?.workbooks && !book && html`<${Choice} path=${`${path}.scope`} label="Pages" value=${c.scope} change=${(scope) => change({ scope })}
        options=${[["view", "This view"], ["workbook", "The whole workbook"]]} />`}
      <${Choice} path=${`${path}.pdf.page_size`} label="Page size" value=${c.page_size} change=${(page_size) => change({ page_size })}
        options=${[["", "A4"], ...pageSizes.filter((size) => size !== "a4").map((size) => [size, words(size)])]} />
      <${Choice} path=${`${path}.pdf.orientation`} label="Orientation" value=${c.orientation} change=${(orientation) => change({ orientation })}
        options=${[["portrait", "Portrait"], ["landscape", "Landscape"]]} />
    </div>`}
    ${c.format === "pptx" ? html`<p class="hint">The whole workbook, a slide for each view.</p>` : book && html`<p class="hint">The whole workbook, a page for each view.</p>`}
    ${c.format === "csv" && html`<p class="hint">The numbers behind the view. Of a dashboard, Tableau gives those of one worksheet: the first by name.</p>`}
    ${c.format === "png" && html`<${Check} path=${`${path}.image.high_resolution`} label="High resolution" hint="Twice as sharp, and a larger file." value=${c.high_resolution} change=${(high_resolution) => change({ high_resolution })} />`}
    ${tellsRows(c.format, c.filters.length > 0 && !whole) && html`<${Choice} path=${`${path}.if_empty`} label="If there is no data" value=${c.if_empty} change=${(if_empty) => change({ if_empty })}
      options=${Object.entries(emptyWords)} hint=${emptyHints[c.if_empty]} />`}
    ${c.format === "csv" && html`<${Check} path=${`${path}.escape_formulas`} label="Safe for spreadsheets" value=${c.escape_formulas} change=${(escape_formulas) => change({ escape_formulas })}
      hint="Puts an apostrophe before values that a spreadsheet would run as a formula. Numbers stay as they are." />`}
    <${Filters} path=${`${path}.filters`} value=${c.filters} change=${(filters) => change({ filters })} />
    ${able?.verifies && c.filters.length > 0 && html`<${Check} path=${`${path}.verify_filters`} label="Verify filters" value=${c.verify_filters}
      hint=${c.verify_filters ? "Before anything is sent, vizpost checks that Tableau applied the filters. If it did not, nothing is sent, and the alert recipients are told why."
        : "Nothing checks the filters: Tableau ignores a misspelled name, and every recipient gets all of the data. Messages do not name the filters."}
      change=${(verify_filters) => change({ verify_filters })} />`}
    ${able?.verifies && c.verify_filters && c.filters.length > 0 && !whole && !data && html`<${Text} path=${`${path}.check_view`} label="Worksheet to verify on" optional value=${c.check_view}
      change=${(check_view) => change({ check_view })} placeholder="Its address in Tableau" autocomplete="off"
      hint="For a dashboard: one of its worksheets that is published as a view of its own. Without one, vizpost compares pictures of the dashboard, which proves less." />`}
    <${Disclosure} title="More options">
      <div class="stack">
        <${Template} path=${`${path}.file_name`} label="File name" value=${c.file_name} change=${(file_name) => change({ file_name })}
          placeholder=${nameOf(c)} hint="Without its extension. Left empty, it is the view's name." />
        <div class="row-of-fields wide-fields">
          ${sized && html`<${Text} path=${`${path}.image`} label="Width" optional type="text" inputmode="numeric" value=${String(c.width)} change=${(width) => change({ width })} hint="In pixels." />
            <${Text} path=${`${path}.image.height`} label="Height" optional type="text" inputmode="numeric" value=${String(c.height)} change=${(height) => change({ height })} hint="Views of a fixed size ignore both." />`}
          ${able?.languages && html`<${Text} path=${`${path}.language`} label="Language" optional value=${c.language} change=${(language) => change({ language })} placeholder="de" autocomplete="off"
            hint="Of labels and numbers, such as en_GB. Left empty: the Tableau user's." />`}
          <${Text} path=${`${path}.max_age_minutes`} label="Data at most this old" optional type="text" inputmode="numeric" placeholder="1" value=${String(c.max_age_minutes)}
            change=${(max_age_minutes) => change({ max_age_minutes })} hint="In minutes, 1 to 240. More is faster, and spares the server." />
        </div>
        ${!tellsRows(c.format) && html`<${Check} path=${`${path}.allow_blank`} label="Send it even if it is blank" value=${c.allow_blank} change=${(allow_blank) => change({ allow_blank })}
          hint="Recipients may then get an empty picture or page. If this is off, a blank view fails the run, and the alert recipients are told." />`}
      </div>
    <//>
  </article>`;
}

const emptyHints = {
  skip: "The message says so. If nothing else is left, nothing is sent.",
  send: "Recipients get a file without rows.",
  fail: "Nothing is sent, and the alert recipients are told.",
};

const order = ["pdf", "png", "svg", "csv", "xlsx", "pptx"];

function Filters({ path, value, change }) {
  const wrong = useWrong(path);
  const box = useRef(null);
  const add = (kind) => {
    change([...value, newFilter(kind)]);
    requestAnimationFrame(() => [...box.current.querySelectorAll(".filter")].at(-1)?.querySelector("input").focus());
  };
  const set = (row, more) => change(value.map((old) => (old.key === row.key ? { ...old, ...more } : old)));
  return html`<fieldset class="filters" ref=${box}><legend>Filters <span class="optional">optional</span></legend>
    ${value.length === 0 ? html`<p class="hint">Everything that the view shows is exported.</p>` : value.map((row) => html`<div class="filter" key=${row.key}>
      <${Text} label=${row.kind === "parameter" ? "Parameter" : "Field"} value=${row.field} change=${(field) => set(row, { field })} placeholder=${row.kind === "parameter" ? "Its name" : "Region"} autocomplete="off" />
      <${Chips} label=${row.kind === "parameter" ? "Value" : "Values"} values=${row.values} change=${(values) => set(row, { values: row.kind === "parameter" ? values.slice(-1) : values })}
        split=${splitLines} commas=${false} placeholder=${row.kind === "parameter" ? "One value" : "West, then Enter"} />
      <button type="button" class="icon-button" aria-label=${`Remove the filter ${row.field || ""}`} onClick=${() => { change(value.filter((old) => old.key !== row.key)); focusField(path); }}><${Icon} name="trash" /></button>
    </div>`)}
    ${value.length > 0 && html`<p class="hint">Write the field and its values exactly as the view shows them, including upper and lower case. Press Enter after each value.</p>`}
    <div class="actions">
      <${Button} small icon="plus" onClick=${() => add("field")} data-field=${path} aria-invalid=${wrong ? "true" : undefined}>Add filter<//>
      <${Button} small kind="quiet" icon="plus" onClick=${() => add("parameter")}>Set parameter<//>
    </div>
    ${wrong && html`<p class="error"><${Icon} name="alert" size=${14} /><span>${wrong}</span></p>`}
  </fieldset>`;
}
