// Times in the time zone of a schedule.

const formats = new Map();

// format gives a kept formatter; null for a zone that the browser does not know.
function format(zone, options) {
  const key = zone + JSON.stringify(options);
  if (!formats.has(key)) {
    try {
      formats.set(key, new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone }));
    } catch {
      formats.set(key, null);
    }
  }
  return formats.get(key);
}

export const zones = () => [...new Set([...(Intl.supportedValuesOf?.("timeZone") || []), "UTC"])].sort();

export const known = (zone) => Boolean(zone) && format(zone, { hour: "2-digit" }) !== null;

// dayIn gives "Mon 24 Nov", with the year when it is not this one.
export function dayIn(text, zone) {
  const at = new Date(text);
  const options = { weekday: "short", day: "numeric", month: "short" };
  if (at.getFullYear() !== new Date().getFullYear()) options.year = "numeric";
  return format(zone, options)?.format(at).replace(",", "") || "";
}

export const clockIn = (text, zone) => format(zone, { hour: "2-digit", minute: "2-digit" })?.format(new Date(text)) || "";

// offsetIn gives "UTC+1".
export function offsetIn(text, zone) {
  const part = format(zone, { timeZoneName: "shortOffset" })?.formatToParts(new Date(text)).find((p) => p.type === "timeZoneName");
  return part ? part.value.replace("GMT", "UTC").replace(/^UTC\+0$/, "UTC") : "";
}

export const momentIn = (text, zone) => `${dayIn(text, zone)}, ${clockIn(text, zone)}`;

// took says how long something took: "12 s", "3 min 20 s", "2 h 5 min".
export function took(from, to) {
  const seconds = Math.max(0, Math.round((new Date(to) - new Date(from)) / 1000));
  if (seconds < 1) return "under 1 s";
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 ? `${minutes} min ${seconds % 60} s` : `${minutes} min`;
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
}
