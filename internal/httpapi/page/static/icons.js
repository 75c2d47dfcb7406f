// Small pictures beside words. They say nothing that the words do not.
import { h } from "/vendor/preact.mjs";

const shapes = {
  alert: "M8 5.2v3.4M8 11.2v.1M7.1 2.3 1.6 12a1 1 0 0 0 .9 1.5h11a1 1 0 0 0 .9-1.5L8.9 2.3a1 1 0 0 0-1.8 0Z",
  arrow: "M3 8h10M9 4l4 4-4 4",
  check: "m3 8.5 3.2 3.2L13 4.8",
  chevron: "m6 3.5 4.5 4.5L6 12.5",
  clock: "M8 4.5V8l2.3 1.6M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0Z",
  close: "m4 4 8 8M12 4l-8 8",
  copy: "M5.5 5.5v-2a1 1 0 0 1 1-1h6a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1h-2M3.5 5.5h6a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1h-6a1 1 0 0 1-1-1v-6a1 1 0 0 1 1-1Z",
  edit: "M10.2 3.3 12.7 5.8M2.8 13.2l.6-2.9 7.6-7.6a1 1 0 0 1 1.4 0l.9.9a1 1 0 0 1 0 1.4l-7.6 7.6-2.9.6Z",
  external: "M6.5 3.5h-3v9h9v-3M9.5 2.5h4v4M13.5 2.5 7.5 8.5",
  file: "M9 2H4.5a1 1 0 0 0-1 1v10a1 1 0 0 0 1 1h7a1 1 0 0 0 1-1V5.5L9 2Zm0 0v3.5h3.5",
  info: "M8 7.3v3.5M8 5v.1M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0Z",
  key: "M9.2 6.8 14 2M11.5 4.5 13 6M9.8 10a3.3 3.3 0 1 1-6.6 0 3.3 3.3 0 0 1 6.6 0Z",
  mail: "M2.5 3.5h11v9h-11v-9Zm0 1 5.5 4.3 5.5-4.3",
  more: "M3.5 8h.1M8 8h.1M12.5 8h.1",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M4.5 3v10l8-5-8-5Z",
  plus: "M8 3v10M3 8h10",
  retry: "M13 5.5A5.5 5.5 0 1 0 13.5 8M13.5 2.5v3.3h-3.3",
  search: "m10.3 10.3 3.2 3.2M11.5 7a4.5 4.5 0 1 1-9 0 4.5 4.5 0 0 1 9 0Z",
  slack: "M6 2.5v11M10 2.5v11M2.5 6h11M2.5 10h11",
  trash: "M2.5 4h11M6 4V2.5h4V4M4 4l.6 9h6.8l.6-9M6.6 6.8v3.7M9.4 6.8v3.7",
};

export function Icon({ name, size = 16 }) {
  return h("svg", { class: `icon icon-${name}`, viewBox: "0 0 16 16", width: size, height: size, fill: "none", stroke: "currentColor",
    "stroke-width": name === "more" ? 2.2 : 1.5, "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true", focusable: "false" },
    h("path", { d: shapes[name] }));
}
