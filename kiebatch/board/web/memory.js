// @ts-check
/* A page from disk keeps decisions in the browser until they are copied out. They belong to the film and to the place
   of its page: pages from disk share one storage, whatever their titles are. */

const folderOf = decodeURI(location.href.split(/[?#]/)[0]).replace(/[^/]*$/, "");
const film = `kiebatch film ${settings.film} `;
const memory = film + folderOf;
const isLine = line => line && typeof line.slot === "string";
const kept = key => (stored.get(key) || []).filter(isLine);
let lines = settings.served ? [] : kept(memory);
const drafts = new Map();

function replay() {
  drafts.clear();
  for (const line of lines) {
    const now = drafts.get(line.slot) || {};
    if (line.decision) {
      now.choice = line.decision === "none" ? "" : line.decision;
      if (line.decision === "pick")
        for (const [slot, other] of drafts)
          if (slot !== line.slot && shotName(slot) === shotName(line.slot) && other.choice === "pick")
            other.choice = "";
    }
    if ("note" in line) now.note = line.note;
    if ("star" in line) now.star = line.star;
    drafts.set(line.slot, now);
  }
}
replay();

function remember(line) {
  lines.push({...line, time: new Date().toISOString()});
  stored.set(memory, lines);
  replay();
  offer();
}

/* A take that is not on this page can not be decided about here: its lines stay in the browser. */
function offered(all) {
  const here = new Set(shots().flatMap(article => data(article).takes.map(take => take.slot)));
  return all.filter(line => here.has(line.slot));
}
function offer() {
  const mine = settings.served || !lines.length ? [] : offered(lines);
  const copy = $("#decided");
  copy.hidden = !mine.length;
  copy.textContent = mine.length === 1 ? "Copy 1 decision" : `Copy ${mine.length} decisions`;
}

/* --- decisions that another copy of this page has kept -------------------------------------------- */

/* A board that was moved, or one of an older kiebatch, which knew films by their titles alone. */
const elsewhere = () =>
  stored
    .keys()
    .filter(key => (key.startsWith(film) && key !== memory) || key === "kiebatch " + settings.title)
    .map(key => ({key, lines: offered(kept(key))}))
    .filter(found => found.lines.length);
function offerElsewhere() {
  if (settings.served) return;
  const count = elsewhere().reduce((sum, found) => sum + found.lines.length, 0);
  $("#elsewhere").hidden = !count;
  $("#elsewhere").textContent = "Earlier decisions…";
}
$("#elsewhere").addEventListener("click", () => {
  const found = elsewhere();
  const take = () => {
    for (const one of found) {
      lines.push(...one.lines);
      stored.remove(one.key);
    }
    lines.sort((a, b) => String(a.time).localeCompare(String(b.time)));
    stored.set(memory, lines);
    location.reload();
  };
  const from = found.map(one => one.key.slice(film.length) || "an earlier version of kiebatch");
  openDialog(sheet, [
    h("h2", {}, "Earlier decisions"),
    h("p", {}, "This browser keeps decisions about takes of this film that were made on another page:"),
    h(
      "ul",
      {},
      found.map((one, i) =>
        h(
          "li",
          {},
          `${one.lines.length} from ${one.key.startsWith(film) ? from[i] : "a page of the same title"}`,
        ),
      ),
    ),
    h(
      "div",
      {class: "row"},
      button("Leave them", () => sheet.close()),
      button("Take them over", take, {class: "loud"}),
    ),
  ]);
});

/* --- copying them out ------------------------------------------------------------------------------ */

const quoted = text =>
  JSON.stringify(
    String(text).replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd"),
  ).replace(
    /[\u007f-\u00a0\u00ad\u2000-\u200f\u2028-\u202f\u205f-\u206f\ufeff\ufff0-\uffff]/g,
    c => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"),
  );
function lineOf(line) {
  const author = stored.get("kiebatch name");
  const parts = ["slot: " + quoted(line.slot)];
  if (line.decision) parts.push("decision: " + line.decision);
  if ("note" in line) parts.push("note: " + quoted(line.note));
  if ("star" in line) parts.push("star: " + Boolean(line.star));
  parts.push("time: " + quoted(line.time));
  if (author) parts.push("author: " + quoted(author));
  return "- {" + parts.join(", ") + "}\n";
}
/* The first line says which film this is about, so that `pick --from` does not decide about another. */
const asText = () => `# film: ${settings.folder}\n` + offered(lines).map(lineOf).join("");

$("#decided").addEventListener("click", () => {
  const text = h(
    "textarea",
    {readonly: true, "aria-label": "Your decisions as text", spellcheck: "false"},
    asText(),
  );
  const forget = () => {
    stored.remove(memory);
    location.reload();
  };
  const copy = () => {
    text.value = asText();
    text.select();
    copyText(text.value);
  };
  const command = "kiebatch pick --from picks.txt" + (settings.folder === "draft" ? " --draft" : "");
  openDialog(sheet, [
    h("h2", {}, "Your decisions"),
    h(
      "p",
      {},
      "They are only in this browser. Send this text to whoever keeps the project, or save it as picks.txt and run ",
      h("kbd", {}, command),
      ".",
    ),
    yourName(),
    text,
    h("div", {class: "row"}, button("Forget them", forget), button("Copy", copy, {class: "loud"})),
  ]);
});
function yourName() {
  const keep = event => stored.set("kiebatch name", hit(event).value.trim());
  const value = stored.get("kiebatch name") || settings.author || "";
  return h(
    "p",
    {},
    h("label", {}, "Your name ", h("input", {type: "text", maxlength: "60", value, onchange: keep})),
  );
}
