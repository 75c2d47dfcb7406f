// Taking apart what is typed or pasted where email addresses go. Whether each is
// an address is the API's to say.

// Characters that take no room: zero-width spaces and joiners, marks of direction.
const invisible = /[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]/g;

// pieces cuts a text at commas, semicolons and line breaks that are in neither
// quotes nor angle brackets; each piece has the separator that ends it.
function pieces(text) {
  const found = [];
  let piece = "", quoted = false, angled = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '"' && !angled) quoted = !quoted && text.indexOf('"', i + 1) > 0;
    else if (!quoted && c === "<") angled = /^<[^<,;\n\r]*>/.test(text.slice(i));
    else if (c === ">") angled = false;
    if (!quoted && !angled && /[,;\n\r\t]/.test(c)) {
      found.push({ piece, end: c });
      piece = "";
    } else piece += c;
  }
  if (piece.trim()) found.push({ piece, end: "" });
  return found;
}

// splitAddresses finds the addresses in what is pasted: with commas, semicolons,
// spaces or line breaks between them, and with or without names, also as Outlook
// writes them: "Silva, Ana" <ana@example.com>, or the same without quotes.
export function splitAddresses(text) {
  const all = [];
  let name = []; // words that are part of a name if an address in angle brackets follows
  const words = (s) => s.split(/\s+/).filter(Boolean);
  for (const { piece, end } of pieces(text.replace(invisible, ""))) {
    const named = [...piece.matchAll(/<\s*([^<>\s]+@[^<>\s]+)\s*>/g)].map((found) => found[1]);
    if (named.length > 0) {
      // Before the name there may be addresses of their own: a@example.com Ana <b@example.com>
      const bare = piece.replace(/"[^"]*"/g, " ").replace(/<[^<>]*>/g, " ");
      all.push(...words(bare).filter((word) => /^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(word)), ...named);
      name = [];
    } else if (!piece.includes("@") && end === ",") {
      name.push(...words(piece));
    } else {
      all.push(...name, ...words(piece));
      name = [];
    }
  }
  return [...all, ...name];
}

// complete says whether what is typed ends with a whole address, behind which
// stands a separator or an angle bracket: "Silva," may be the start of a name.
// Separators alone are left over from what was typed before.
export function complete(text) {
  if (/^[\s,;]+$/.test(text)) return true;
  const last = pieces(text).at(-1);
  return Boolean(last?.piece.includes("@") && (last.end || /<[^<>]*>\s*$/.test(last.piece)));
}
