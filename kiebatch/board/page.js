
(() => {
"use strict";
const $ = (what, within = document) => within.querySelector(what);
const $$ = (what, within = document) => [...within.querySelectorAll(what)];
const settings = JSON.parse($("#settings").textContent);
const viewer = $("#viewer"), sheet = $("#sheet");

/* Build an element. Texts go in as text nodes, so whatever they say stays text. */
function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key in made && typeof value !== "string") made[key] = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(9).filter(c => c !== null && c !== undefined && c !== false));
  return made;
}
const stored = {
  get(key) { try { return JSON.parse(localStorage.getItem(key)); } catch { return null; } },
  set(key, value) { try { localStorage.setItem(key, JSON.stringify(value)); } catch { /* a page from disk may have no storage */ } },
};
let toasting = 0;
function toast(text) {
  $("#toast").replaceChildren(h("p", {}, text));
  clearTimeout(toasting);
  toasting = setTimeout(() => $("#toast").replaceChildren(), 2600);
}

/* --- shots and what was decided about them ------------------------------------------------------- */

/* What cannot be shown is not shown as a broken picture. */
document.addEventListener("error", event => {
  const image = event.target;
  if (image.tagName === "IMG" && image.closest(".still")) image.replaceWith(h("span", {class: "gap"}, "No preview"));
  else if (image.tagName === "IMG" && image.closest(".take")) image.remove();
}, true);
const marks = new Map($$(".strip a").map(a => [a.dataset.for, a]));
const known = new WeakMap();
const shots = () => $$("article[data-shot]");
const shotOf = name => document.getElementById("s-" + name);
function data(article) {
  if (!known.has(article)) {
    const found = JSON.parse($(":scope > script", article).textContent);
    for (const take of found.takes) {
      take.versions = take.versions || [];
      Object.assign(take, drafts.get(take.slot) || {});
    }
    known.set(article, found);
  }
  return known.get(article);
}
function thumbOf(article, file) {
  if (!file) return "";
  if (file.thumb) return file.thumb;
  const image = $$("img[data-id]", article).find(i => i.dataset.id === file.id);
  return image ? image.src : "";
}
const last = list => list[list.length - 1];
const fileOf = (take, version, output = 0) => {
  const found = version === undefined ? last(take.versions) : take.versions[version];
  return found ? found.files[output] || found.files[0] : null;
};
function shownTake(found) {
  const there = found.takes.filter(t => t.versions.length);
  return there.find(t => t.choice === "pick") || there.find(t => t.choice !== "reject") || there[0] || found.takes[0];
}

/* A page from disk keeps decisions in the browser until they are copied out. */
const memory = "kiebatch " + settings.title;
let lines = settings.served ? [] : (stored.get(memory) || []).filter(l => l && typeof l.slot === "string");
const drafts = new Map();
const shotName = slot => slot.split("#")[0].split("@")[0];
function replay() {
  drafts.clear();
  for (const line of lines) {
    const now = drafts.get(line.slot) || {};
    if (line.decision) {
      now.choice = line.decision === "none" ? "" : line.decision;
      if (line.decision === "pick") for (const [slot, other] of drafts) if (slot !== line.slot && shotName(slot) === shotName(line.slot) && other.choice === "pick") other.choice = "";
    }
    if ("note" in line) now.note = line.note;
    if ("star" in line) now.star = line.star;
    drafts.set(line.slot, now);
  }
}
replay();

/* Show a shot as it now stands, without asking a server. */
function repaint(article) {
  const found = data(article), shown = shownTake(found);
  article.classList.toggle("picked", found.takes.some(t => t.choice === "pick"));
  article.classList.toggle("starred", found.takes.some(t => t.star));
  const facets = new Set(article.dataset.facets.split(" ").filter(Boolean));
  const set = (facet, on) => on ? facets.add(facet) : facets.delete(facet);
  set("picked", article.classList.contains("picked"));
  set("unpicked", !article.classList.contains("picked") && found.takes.filter(t => t.versions.length).length > 1);
  set("starred", article.classList.contains("starred"));
  set("noted", found.takes.some(t => t.note));
  const mark = marks.get(found.name);
  if (mark) mark.classList.toggle("picked", article.classList.contains("picked"));
  article.dataset.facets = [...facets].join(" ");
  for (const button of $$("ol.takes .take", article)) {
    const take = found.takes[button.dataset.take];
    button.classList.toggle("pick", take.choice === "pick");
    button.classList.toggle("reject", take.choice === "reject");
    button.classList.toggle("starred", Boolean(take.star));
    button.classList.toggle("current", take === shown);
    const word = {pick: ", picked", reject: ", rejected"}[take.choice] || "";
    button.setAttribute("aria-label", button.getAttribute("aria-label").replace(/, (picked|rejected)$/, "") + word);
  }
  const image = $(".still > img", article), file = shown && fileOf(shown);
  if (image && file && image.dataset.id !== file.id) {
    fill(article);  /* keep what the page alone knew of the old picture */
    const before = $$("img[data-of]", article).find(i => i.dataset.of === file.id);
    const source = file.thumb || (before && before.src);
    if (source) {
      const old = allFiles(found).find(f => f.id === image.dataset.id);
      if (old && !old.thumb) old.thumb = image.src;
      image.removeAttribute("srcset");
      image.src = source;
      image.dataset.id = file.id;
      if (file.src) image.parentElement.href = file.src;
    }
  }
  for (const old of $$(":scope > .note", article)) old.remove();
  for (const take of found.takes) if (take.note) {
    const label = (found.takes.length > 1 ? "Take " + take.n : "Note") + (take.author ? ", " + take.author : "");
    $(":scope > script", article).before(h("p", {class: "note"}, h("span", {class: "key"}, label), " ", take.note));
  }
}
const allFiles = found => found.takes.flatMap(t => t.versions.flatMap(v => v.files));

async function decide(article, take, what) {
  const before = {choice: take.choice, note: take.note, star: take.star};
  if (what.decision) {
    if (what.decision === "pick") for (const other of data(article).takes) if (other.choice === "pick") other.choice = "";
    take.choice = what.decision === "none" ? "" : what.decision;
  }
  if ("note" in what) take.note = what.note;
  if ("star" in what) take.star = what.star;
  repaint(article);
  count();
  if (!settings.served) {
    const {was, ...kept} = what;
    lines.push({slot: take.slot, ...kept, time: new Date().toISOString()});
    stored.set(memory, lines);
    replay();
    offer();
    return true;
  }
  const reply = await post("decide", {slot: take.slot, author: stored.get("kiebatch name") || "", ...what});
  if (reply.ok) return true;
  Object.assign(take, before);
  if (reply.status === 409) {
    take.note = reply.body.note;
    toast(`${reply.body.author || "Somebody"} changed this note meanwhile: “${reply.body.note}”. Yours is not saved yet.`);
  } else toast(reply.body.message || "Not saved");
  repaint(article);
  return false;
}
const quoted = text => JSON.stringify(String(text).replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd"))
  .replace(/[\u007f-\u00a0\u00ad\u2000-\u200f\u2028-\u202f\u205f-\u206f\ufeff\ufff0-\uffff]/g, c => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
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
function offer() {
  const button = $("#decided");
  button.hidden = settings.served || !lines.length;
  button.textContent = lines.length === 1 ? "Copy 1 decision" : `Copy ${lines.length} decisions`;
}
$("#decided").addEventListener("click", () => {
  const text = h("textarea", {readonly: true, "aria-label": "Your decisions as text", spellcheck: "false"}, lines.map(lineOf).join(""));
  open(sheet, [
    h("h2", {}, "Your decisions"),
    h("p", {}, "This page keeps them in this browser alone. Send this text to whoever keeps the project, or save it as picks.txt and run ", h("kbd", {}, "kiebatch pick --from picks.txt"), "."),
    named(),
    text,
    h("div", {class: "row"},
      h("button", {type: "button", class: "quiet", onclick: () => { lines = []; stored.set(memory, lines); location.reload(); }}, "Forget them"),
      h("button", {type: "button", class: "loud", onclick: async () => {
        text.value = lines.map(lineOf).join("");
        text.select();
        try { await navigator.clipboard.writeText(text.value); } catch { document.execCommand("copy"); }
        toast("Copied");
      }}, "Copy")),
  ]);
});
function named() {
  return h("p", {}, h("label", {}, "Your name ", h("input", {type: "text", maxlength: "60", value: stored.get("kiebatch name") || settings.author || "", onchange: e => stored.set("kiebatch name", e.target.value.trim())})));
}

/* --- lazily: small pictures as they come near ---------------------------------------------------- */

function fill(article) {
  for (const image of $$("img[data-of]:not([src])", article)) {
    const file = allFiles(data(article)).find(f => f.id === image.dataset.of);
    const source = thumbOf(article, file);
    if (source) image.src = source;
  }
}
const near = new IntersectionObserver(seen => {
  for (const entry of seen) if (entry.isIntersecting) { near.unobserve(entry.target); fill(entry.target); }
}, {rootMargin: "600px"});
function watch(article) {
  if (drafts.size && data(article).takes.some(t => drafts.has(t.slot))) repaint(article);
  if ($("img[data-of]", article)) near.observe(article);
}
addEventListener("beforeprint", () => shots().forEach(fill));

/* --- filter and search --------------------------------------------------------------------------- */

const texts = new WeakMap();
let filter = "all";
function textOf(article) {
  if (!texts.has(article)) {
    const own = [...article.children].filter(c => c.tagName !== "SCRIPT").map(c => c.textContent);
    const scene = article.closest("section");
    texts.set(article, [article.getAttribute("aria-label"), scene ? scene.firstElementChild.textContent : "", ...own].join(" ").toLowerCase());
  }
  return texts.get(article);
}
function sift() {
  const words = $("#search").value.toLowerCase().split(/\s+/).filter(Boolean);
  let fits = 0, all = 0;
  for (const article of shots()) {
    const ok = (filter === "all" || article.dataset.facets.split(" ").includes(filter)) && words.every(w => textOf(article).includes(w));
    article.hidden = !ok;
    all += 1;
    fits += ok;
  }
  const sifted = filter !== "all" || words.length;
  for (const scene of $$("section.scene")) {
    scene.hidden = Boolean(sifted) && !$("article[data-shot]:not([hidden])", scene);
  }
  for (const mark of $$(".strip a")) { const shot = shotOf(mark.dataset.for); mark.classList.toggle("out", Boolean(shot && shot.hidden)); }
  $("#nothing").hidden = fits > 0 || !all;
  $("#found").textContent = sifted ? `${fits} of ${all} shots` : "";
  for (const button of $$(".filters [data-filter]")) button.setAttribute("aria-pressed", String(button.dataset.filter === filter));
}
function count() {
  const found = {};
  for (const article of shots()) for (const facet of article.dataset.facets.split(" ")) found[facet] = (found[facet] || 0) + 1;
  for (const button of $$(".filters [data-filter]")) {
    const number = $("small", button);
    if (number) number.textContent = found[button.dataset.filter] || 0;
    else if (button.dataset.filter !== "all" && found[button.dataset.filter]) button.append(h("small", {}, found[button.dataset.filter]));
  }
}
let searching = 0;
$("#search").addEventListener("input", () => { clearTimeout(searching); searching = setTimeout(sift, 60); });
document.addEventListener("click", event => {
  const button = event.target.closest("[data-filter]");
  if (!button) return;
  filter = button.dataset.filter;
  if (button.closest("#nothing")) $("#search").value = "";
  sift();
});

/* --- the viewer ---------------------------------------------------------------------------------- */

let rendering = false;
let view = null;  /* {article, take, version, output, compare: {take, version} or null} */
const visible = () => shots().filter(a => !a.hidden);
function leave() { if (document.activeElement && document.activeElement.id === "note") document.activeElement.blur(); }
function show(article, takeIndex) {
  leave();
  const found = data(article);
  if (!found.takes.length) { toast("No picture is asked for here"); return; }
  const take = takeIndex === undefined ? Math.max(0, found.takes.indexOf(shownTake(found))) : Number(takeIndex);
  fill(article);
  view = {article, take, version: found.takes[take].versions.length - 1, output: 0, compare: null};
  render();
  if (!viewer.open) viewer.showModal();
  $(".vhead h2", viewer).focus();
}
function step(by) {
  const all = visible().filter(a => data(a).takes.length), at = all.indexOf(view.article);
  const next = all[at + by];
  if (next) show(next);
}
function turn(to) {
  const takes = data(view.article).takes;
  if (!takes[to]) return;
  leave();
  Object.assign(view, {take: to, version: takes[to].versions.length - 1, output: 0, compare: null});
  render();
}
const nameOf = (found, take) => found.takes.length > 1 ? "take " + take.n + (take.model ? ", " + take.model : "") : "";
const states = {changed: "The scene file has changed since", open: "Not made yet", waiting: "Waits", "in-flight": "In flight", failed: "Failed", held: "Held: nobody knows whether it was charged", missing: "Its file is gone", altered: "Its file was altered by hand", orphan: "No longer in the scene file"};

function medium(article, file, {player = true, muted = false} = {}) {
  if (!file) return h("span", {class: "gap"}, "Not made yet");
  const label = file.name;
  if (file.type === "image") return file.src ? h("img", {src: file.src, alt: label, onerror: e => { const t = thumbOf(article, file); if (t && e.target.src !== t) e.target.src = t; }}) : h("span", {class: "gap"}, "Its file is gone");
  if (file.type === "video") return file.src ? h("video", {src: file.src, poster: file.poster || thumbOf(article, file) || null, controls: player, loop: true, playsinline: true, muted, preload: "auto", "aria-label": label}) : h("span", {class: "gap"}, "Its file is gone");
  if (file.type === "audio") return file.src ? h("audio", {src: file.src, controls: true, preload: "metadata", "aria-label": label}) : h("span", {class: "gap"}, "Its file is gone");
  return file.src ? h("a", {class: "gap", href: file.src}, "Open the text") : h("span", {class: "gap"}, "Text");
}
function texted(pieces) {
  return pieces.map(([how, words]) => how === "o" ? h("del", {}, words) : how === "n" ? h("ins", {}, words) : words);
}

function render() {
  const {article} = view, found = data(article), take = found.takes[view.take];
  const version = take.versions[view.version], file = version ? version.files[view.output] || version.files[0] : null;
  const all = visible(), title = $(":scope > .title", article);
  const box = document.activeElement, typing = box && box.id === "note" ? {value: box.value, was: box.dataset.was, at: box.selectionStart} : null;
  const focus = viewer.contains(document.activeElement) && document.activeElement.dataset ? document.activeElement.dataset.key : null;
  viewer.setAttribute("aria-label", "Shot " + found.name);
  const head = h("div", {class: "vhead"},
    h("h2", {tabindex: "-1"}, found.name),
    h("span", {class: "of"}, [title && title.textContent, nameOf(found, take), `${all.indexOf(article) + 1} of ${all.length}`].filter(Boolean).join(" · ")),
    comparable(found) ? h("button", {type: "button", class: "quiet", "data-key": "compare", "aria-pressed": String(Boolean(view.compare)), onclick: compare}, view.compare ? "Stop comparing" : "Compare") : null,
    h("button", {type: "button", class: "icon", "aria-label": "Previous shot", "data-key": "back", onclick: () => step(-1)}, "←"),
    h("button", {type: "button", class: "icon", "aria-label": "Next shot", "data-key": "on", onclick: () => step(1)}, "→"),
    h("button", {type: "button", class: "icon", "aria-label": "Close", "data-key": "close", onclick: () => viewer.close()}, "✕"));
  rendering = true;
  viewer.replaceChildren(head, view.compare ? wiping(found) : h("div", {class: "stage"}, medium(article, file)), rail(found), side(found, take, version, file));
  rendering = false;
  const playing = $(".stage > video", viewer);
  if (playing) playing.play().catch(() => {});
  if (typing) {
    const again = $("#note", viewer);
    again.value = typing.value;
    again.dataset.was = typing.was;
    again.focus();
    again.setSelectionRange(typing.at, typing.at);
  }
  else if (focus) { const again = $$("[data-key]", viewer).find(b => b.dataset.key === focus); if (again) again.focus(); }
}

function rail(found) {
  const {article} = view, outputs = (found.takes[view.take].versions[view.version] || {files: []}).files;
  const several = found.takes.length > 1;
  const picture = (file) => { const source = thumbOf(article, file); return source ? h("img", {alt: "", src: source}) : null; };
  return h("div", {class: "rail"},
    several ? found.takes.map((take, i) => h("button", {
      type: "button", class: ["take", take.state, take.choice, take.star && "starred"].filter(Boolean).join(" "), "data-key": "take" + i,
      "aria-current": i === view.take ? "true" : null, "aria-label": "Take " + take.n + (take.model ? ", " + take.model : "") + (take.choice ? ", " + take.choice + "ed" : ""), onclick: () => turn(i),
    }, picture(fileOf(take)), h("b", {}, take.label))) : null,
    outputs.length > 1 ? outputs.map((file, i) => h("button", {type: "button", class: "take", "data-key": "output" + i, "aria-current": i === view.output ? "true" : null, "aria-label": "Output " + (i + 1), onclick: () => { view.output = i; render(); }}, picture(file), h("b", {}, "o" + (i + 1)))) : null);
}

function side(found, take, version, file) {
  const {article} = view;
  const pressed = on => String(Boolean(on));
  const act = (what, said) => async () => { if (await decide(article, take, what)) toast(said); if (view) render(); };
  const prompt = version ? found.prompts[version.p - 1] : "";
  const asked = $(":scope > .prompt", article);
  const rows = [];
  if (version) {
    rows.push(["Model", version.model]);
    if (file && file.w) rows.push(["Size", `${file.w} × ${file.h}`]);
    if (file && file.s) rows.push(["Length", file.s.toFixed(1) + " s"]);
    if (version.credits && version.credits !== "0") rows.push(["Credits", version.credits]);
    rows.push(["Made", version.at], ["File", file.src ? h("a", {href: file.src, target: "_blank", rel: "noopener"}, file.name) : file.name]);
  }
  return h("div", {class: "side"},
    found.takes[view.take].versions.length ? h("div", {class: "verdict", role: "group", "aria-label": "Decision"},
      h("button", {type: "button", class: "pick", "data-key": "pick", "aria-pressed": pressed(take.choice === "pick"), onclick: take.choice === "pick" ? act({decision: "none"}, "Pick taken back") : act({decision: "pick"}, "Picked " + take.slot)}, take.choice === "pick" ? "Picked" : "Pick"),
      h("button", {type: "button", class: "reject", "data-key": "reject", "aria-pressed": pressed(take.choice === "reject"), onclick: () => take.choice === "reject" ? act({decision: "none"}, "Taken back")() : reject(article, take)}, take.choice === "reject" ? "Rejected" : "Reject"),
      h("button", {type: "button", class: "stars", "data-key": "star", "aria-label": "Star", "aria-pressed": pressed(take.star), onclick: act({star: !take.star}, take.star ? "Star taken away" : "Starred")}, take.star ? "★" : "☆")) : null,
    take.state !== "made" ? h("p", {class: "say " + take.state}, (states[take.state] || "") + (take.message && take.state !== "open" ? ": " + take.message : "")) : null,
    h("h3", {}, h("label", {for: "note"}, "Note" + (take.author && take.note ? " by " + take.author : ""))),
    h("textarea", {id: "note", "data-key": "note", "data-was": take.note || "", maxlength: "4000", rows: "3", onblur: e => keep(article, take, e.target), onkeydown: e => { if (e.key === "Enter" && (e.metaKey || e.ctrlKey)) e.target.blur(); }}, take.note || ""),
    version && prompt ? [h("h3", {}, "Prompt"), h("p", {class: "prompt"}, version.pieces ? texted(version.pieces) : prompt)] : null,
    take.state === "changed" && asked && $("ins, del", asked) ? [h("h3", {}, "The scene file asks for"), asked.cloneNode(true)] : null,
    !version && asked ? [h("h3", {}, "Prompt"), asked.cloneNode(true)] : null,
    version && version.changes ? h("p", {class: "changes"}, version.changes.map(c => [c, h("br")])) : null,
    take.versions.length > 1 ? [h("h3", {}, "Versions"), h("div", {class: "versions"}, take.versions.map((v, i) => h("button", {type: "button", "data-key": "v" + i, "aria-current": i === view.version ? "true" : null, onclick: () => { Object.assign(view, {version: i, output: 0, compare: null}); render(); }}, "Version " + v.v, h("span", {class: "when"}, v.at))).reverse())] : null,
    rows.length ? [h("h3", {}, "Made with"), h("dl", {}, rows.map(([key, value]) => [h("dt", {}, key), h("dd", {}, value)]))] : null,
    settings.run && take.state !== "orphan" ? h("div", {class: "acts"},
      take.state === "failed" ? h("button", {type: "button", class: "quiet", onclick: () => propose({kind: "retry", slot: take.slot})}, "Retry…") : null,
      take.state === "open" || take.state === "changed" ? h("button", {type: "button", class: "quiet", onclick: () => propose({kind: "make", slot: take.slot})}, "Make it…") : null,
      take.versions.length ? h("button", {type: "button", class: "quiet", onclick: () => propose({kind: "again", slot: take.slot})}, "New version…") : null,
      h("button", {type: "button", class: "quiet", onclick: () => propose({kind: "another", slot: take.slot})}, "Another take…"),
      h("button", {type: "button", class: "quiet", onclick: () => reword(take)}, "Change the prompt…")) : null);
}

/* Save a note when its field is left. Where somebody else has changed it meanwhile, both are kept: theirs is saved,
   ours stays in the field and goes over theirs when the field is left once more. */
async function keep(article, take, box) {
  const was = box.dataset.was, note = box.value.trim();
  if (rendering || note === was) return;
  box.dataset.was = note;
  if (await decide(article, take, {note, was})) { toast("Note saved"); return; }
  box.dataset.was = take.note || "";
}

function reject(article, take) {
  const why = h("textarea", {class: "text", rows: "3", "aria-label": "Why", maxlength: "4000"}, take.note || "");
  const done = async () => {
    sheet.close();
    const note = why.value.trim(), was = take.note || "";
    if (await decide(article, take, note === was ? {decision: "reject"} : {decision: "reject", note, was})) toast("Rejected " + take.slot);
    if (view) render();
  };
  why.addEventListener("keydown", e => { if (e.key === "Enter" && !e.shiftKey) { e.preventDefault(); done(); } });
  open(sheet, [h("h2", {}, "Reject " + take.slot), h("p", {}, "A word of why helps whoever makes the next one."), why,
    h("div", {class: "row"}, h("button", {type: "button", class: "quiet", onclick: () => sheet.close()}, "Cancel"), h("button", {type: "button", class: "loud", onclick: done}, "Reject"))]);
  why.focus();
}

/* Compare two takes or versions with a wipe. */
const pictures = found => found.takes.flatMap((take, t) => take.versions.map((version, v) => ({take: t, version: v, file: version.files[0], label: (found.takes.length > 1 ? "Take " + take.n : "") + (take.versions.length > 1 ? (found.takes.length > 1 ? ", v" : "Version ") + version.v : "") + (take.model ? ", " + take.model : "")})))
  .filter(p => (p.file.type === "image" || p.file.type === "video") && p.file.src);
const comparable = found => pictures(found).length > 1;
function compare() {
  if (view.compare) { view.compare = null; render(); return; }
  const found = data(view.article), all = pictures(found);
  if (all.length < 2) return;
  const at = Math.max(0, all.findIndex(p => p.take === view.take && p.version === view.version));
  const older = all.findIndex(p => p.take === view.take && p.version === view.version - 1);
  const pick = all.findIndex((p, i) => i !== at && found.takes[p.take].choice === "pick");
  view.compare = {a: at, b: older >= 0 ? older : pick >= 0 ? pick : (at + 1) % all.length, wipe: 50};
  render();
  $(".stage input", viewer).focus();
}
function wiping(found) {
  const {article, compare: now} = view, all = pictures(found), a = all[now.a], b = all[now.b];
  const left = medium(article, a.file, {player: false, muted: true}), right = medium(article, b.file, {player: false, muted: true});
  const stage = h("div", {class: "stage"}, h("div", {class: "layer"}, left), h("div", {class: "layer over"}, right), h("div", {class: "wipe"}));
  const range = h("input", {type: "range", min: "0", max: "100", step: "0.5", value: String(now.wipe), "data-key": "wipe", "aria-label": `Wipe between ${a.label} and ${b.label}`, oninput: e => set(Number(e.target.value))});
  const set = value => { now.wipe = value; stage.style.setProperty("--wipe", value + "%"); };
  stage.append(range);
  for (const [side, key] of [["a", "a"], ["b", "b"]]) {
    stage.append(h("select", {class: "tag " + side, "data-key": "side" + side, "aria-label": side === "a" ? "Left" : "Right", onchange: e => { now[key] = Number(e.target.value); render(); }},
      all.map((p, i) => h("option", {value: String(i), selected: i === now[key]}, p.label))));
  }
  set(now.wipe);
  const clips = [left, right].filter(m => m.tagName === "VIDEO");
  for (const clip of clips) clip.play().catch(() => {});
  if (clips.length === 2) left.addEventListener("timeupdate", () => { if (Math.abs(left.currentTime - right.currentTime) > 0.12 && right.duration) right.currentTime = left.currentTime % right.duration; });
  return stage;
}
/* A finger's way over the picture: left is the next shot. */
let finger = null;
viewer.addEventListener("touchstart", event => {
  const touch = event.touches[0];
  finger = event.touches.length === 1 && event.target.closest(".stage") && view && !view.compare ? {x: touch.clientX, y: touch.clientY} : null;
}, {passive: true});
viewer.addEventListener("touchend", event => {
  const touch = event.changedTouches[0];
  if (!finger || !view) return;
  const x = touch.clientX - finger.x, y = touch.clientY - finger.y;
  finger = null;
  if (Math.abs(x) > 60 && Math.abs(x) > 2 * Math.abs(y)) step(x < 0 ? 1 : -1);
}, {passive: true});
viewer.addEventListener("close", () => {
  const article = view && view.article;
  for (const clip of $$("video, audio", viewer)) clip.pause();
  viewer.replaceChildren();
  view = null;
  if (article && article.isConnected) { article.scrollIntoView({block: "nearest"}); article.focus({preventScroll: true}); }
});
document.addEventListener("click", event => {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  const article = event.target.closest("article[data-shot]");
  if (!article || viewer.contains(article)) return;
  const take = event.target.closest("[data-take]"), opener = event.target.closest("[data-open]");
  if (take) show(article, take.dataset.take);
  else if (opener) { event.preventDefault(); show(article); }
});

/* --- sheets -------------------------------------------------------------------------------------- */

function open(dialog, content) {
  dialog.replaceChildren(...content);
  const title = $("h2", dialog);
  if (title) dialog.setAttribute("aria-label", title.textContent);
  if (!dialog.open) dialog.showModal();
}
const keys = [["← →", "the shot before, the next one"], ["Enter", "open the shot"], ["1 … 9", "a take"], ["↑ ↓", "the take before, the next one"], ["v", "the version before"], ["c", "compare with a wipe"], ["p", "pick, or take it back"], ["x", "reject"], ["s", "star"], ["n", "note"], ["Space", "play or pause"], ["/", "search"], ["Esc", "close"]];
function help() {
  open(sheet, [h("h2", {}, "Keys"),
    h("table", {class: "keys"}, h("tbody", {}, keys.map(([key, what]) => h("tr", {}, h("td", {}, h("kbd", {}, key)), h("td", {}, what))))),
    h("p", {}, h("label", {}, h("input", {type: "checkbox", checked: !keysOff, onchange: e => { keysOff = !e.target.checked; stored.set("kiebatch keys off", keysOff); }}), " Single keys work")),
    named(),
    h("div", {class: "row"}, h("button", {type: "button", class: "loud", onclick: () => sheet.close()}, "Close"))]);
}
$("#help").addEventListener("click", help);
for (const dialog of [sheet]) dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });
sheet.addEventListener("close", () => sheet.replaceChildren());

/* --- keys ---------------------------------------------------------------------------------------- */

let keysOff = Boolean(stored.get("kiebatch keys off"));
document.addEventListener("keydown", event => {
  const target = event.target, typing = /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
  if (event.key === "Escape" && typing && target.id === "note") { event.preventDefault(); target.blur(); return; }
  if (event.ctrlKey || event.metaKey || event.altKey || sheet.open) return;
  const wiping = target.type === "range";
  if (typing && !(wiping && !event.key.startsWith("Arrow"))) return;
  if (keysOff && event.key.length === 1 && event.key !== " ") return;
  if (viewer.open) inViewer(event);
  else onPage(event);
});
function pressed(key) { const button = $(`[data-key="${key}"]`, viewer); if (button) button.click(); return button; }
function inViewer(event) {
  const done = () => event.preventDefault();
  const onMedia = /^(VIDEO|AUDIO)$/.test(event.target.tagName);
  switch (event.key) {
    case "ArrowRight": case "j": if (onMedia && event.key !== "j") return; done(); step(1); break;
    case "ArrowLeft": case "k": if (onMedia && event.key !== "k") return; done(); step(-1); break;
    case "ArrowDown": if (onMedia) return; done(); turn(view.take + 1); break;
    case "ArrowUp": if (onMedia) return; done(); turn(view.take - 1); break;
    case "c": done(); compare(); break;
    case "p": done(); pressed("pick"); break;
    case "x": done(); pressed("reject"); break;
    case "s": done(); pressed("star"); break;
    case "n": { done(); const box = $("#note", viewer); if (box) { box.focus(); box.setSelectionRange(box.value.length, box.value.length); } break; }
    case "v": { done(); const take = data(view.article).takes[view.take], many = take.versions.length; if (many > 1) { Object.assign(view, {version: (view.version + many - 1) % many, output: 0, compare: null}); render(); } break; }
    case "?": done(); help(); break;
    case " ": {
      if (event.target.closest("button, a, select") || onMedia) return;
      done();
      const clips = $$(".stage video, .stage audio", viewer);
      const stopped = clips.length && clips[0].paused;
      for (const clip of clips) stopped ? clip.play().catch(() => {}) : clip.pause();
      break;
    }
    default: if (/^[1-9]$/.test(event.key)) { done(); turn(Number(event.key) - 1); }
  }
}
function onPage(event) {
  const here = document.activeElement && document.activeElement.closest ? document.activeElement.closest("article[data-shot]") : null;
  const go = by => {
    const all = visible();
    const next = here ? all[all.indexOf(here) + by] : all.find(a => a.getBoundingClientRect().bottom > 160) || all[0];
    if (!next) return;
    event.preventDefault();
    next.focus({preventScroll: true});
    next.scrollIntoView({block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth"});
  };
  switch (event.key) {
    case "ArrowRight": case "j": go(1); break;
    case "ArrowLeft": case "k": go(-1); break;
    case "Enter": if (here && document.activeElement === here) { event.preventDefault(); show(here); } break;
    case "/": event.preventDefault(); $("#search").focus(); break;
    case "?": event.preventDefault(); help(); break;
    case "p": case "x": case "s": {
      if (!here) return;
      event.preventDefault();
      const take = shownTake(data(here));
      if (!take || !take.versions.length) return;
      if (event.key === "x" && take.choice !== "reject") { reject(here, take); return; }
      const what = event.key === "s" ? {star: !take.star} : {decision: take.choice === (event.key === "p" ? "pick" : "reject") ? "none" : "pick"};
      if (event.key === "x") what.decision = "none";
      decide(here, take, what).then(ok => { if (ok) toast(event.key === "s" ? (what.star ? "Starred " : "Star taken away from ") + take.slot : what.decision === "pick" ? "Picked " + take.slot : "Taken back"); });
    }
  }
}
$("#search").addEventListener("keydown", event => { if (event.key === "Escape") { event.target.value = ""; sift(); event.target.blur(); } });

/* --- light and dark, sound, where we are --------------------------------------------------------- */

const root = document.documentElement;
if (["dark", "light"].includes(stored.get("kiebatch theme"))) root.dataset.theme = stored.get("kiebatch theme");
$("#theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : !matchMedia("(prefers-color-scheme: light)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  stored.set("kiebatch theme", root.dataset.theme);
});
document.addEventListener("click", event => {
  const button = event.target.closest("[data-play]"), wave = event.target.closest(".heard .wave");
  if (!button && !wave) return;
  const heard = event.target.closest(".heard"), sound = $("audio", heard);
  for (const other of $$(".heard audio")) if (other !== sound) other.pause();
  if (wave && sound.duration) sound.currentTime = sound.duration * event.offsetX / wave.clientWidth;
  if (button && !sound.paused) sound.pause();
  else sound.play().catch(() => toast("This sound cannot be played"));
});
for (const [event, on] of [["play", true], ["pause", false], ["ended", false]]) {
  document.addEventListener(event, e => {
    const heard = e.target.closest && e.target.closest(".heard");
    if (!heard) return;
    heard.classList.toggle("on", on);
    const button = $("[data-play]", heard);
    button.classList.toggle("on", on);
    button.setAttribute("aria-label", (on ? "Pause " : "Play ") + heard.closest("article").dataset.shot);
  }, true);
}
const here = new IntersectionObserver(seen => {
  for (const entry of seen) { const mark = marks.get(entry.target.dataset.shot); if (mark) mark.classList.toggle("here", entry.isIntersecting); }
}, {rootMargin: "-25% 0px -45% 0px"});
function arrive(article) { watch(article); here.observe(article); }
for (const article of shots()) arrive(article);
offer();
if (lines.length) count();

/* --- on a server --------------------------------------------------------------------------------- */

async function post(path, body) {
  try {
    const reply = await fetch(path, {method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify(body)});
    return {ok: reply.ok, status: reply.status, body: await reply.json()};
  } catch { return {ok: false, status: 0, body: {message: "The review is not running any more"}}; }
}
document.addEventListener("click", event => {
  const button = event.target.closest("[data-wish]");
  if (button) propose({kind: button.dataset.wish});
});
function reword(take) {
  post("prompt", {slot: take.slot}).then(reply => {
    if (!reply.ok) { toast(reply.body.message); return; }
    const box = h("textarea", {class: "text", rows: "6", "aria-label": "Prompt", maxlength: "20000"}, reply.body.prompt);
    open(sheet, [h("h2", {}, "Prompt of " + shotName(take.slot)), h("p", {}, "As it stands in the scene file, before styles and characters."), box,
      h("div", {class: "row"}, h("button", {type: "button", class: "quiet", onclick: () => sheet.close()}, "Cancel"), h("button", {type: "button", class: "loud", onclick: () => propose({kind: "prompt", slot: take.slot, prompt: box.value})}, "Show what it costs"))]);
    box.focus();
  });
}
async function propose(wish) {
  open(sheet, [h("h2", {}, "One moment"), h("p", {}, "Working out what this would do.")]);
  const reply = await post("plan", wish), plan = reply.body;
  if (!sheet.open) return;
  if (!reply.ok) { open(sheet, [h("h2", {}, "This does not go"), h("p", {class: "err"}, plan.message), plan.hint ? h("p", {}, plan.hint) : null, h("div", {class: "row"}, h("button", {type: "button", class: "quiet", onclick: () => sheet.close()}, "Close"))].filter(Boolean)); return; }
  const mark = line => ({"+": "plus", "-": "minus", "@": "at"})[line[0]] || null;
  open(sheet, [h("h2", {}, plan.title),
    plan.diff ? h("pre", {}, plan.diff.split("\n").map(line => h("span", {class: mark(line)}, line + "\n"))) : null,
    plan.jobs.length ? h("table", {}, h("tbody", {}, plan.jobs.map(job => h("tr", {}, h("td", {}, job.slot), h("td", {}, job.model), h("td", {}, job.reason), h("td", {}, job.credits))))) : h("p", {}, "Nothing would be made."),
    plan.note ? h("p", {class: plan.may ? null : "err"}, plan.note) : null,
    h("div", {class: "row"}, h("span", {class: "price"}, plan.total),
      h("button", {type: "button", class: "quiet", onclick: () => sheet.close()}, "Cancel"),
      plan.may ? h("button", {type: "button", class: "loud", onclick: async e => {
        e.target.disabled = true;
        const started = await post("run", {plan: plan.id});
        if (started.ok) { sheet.close(); toast("Started"); } else { e.target.disabled = false; toast(started.body.message); }
      }}, plan.does) : null)].filter(Boolean));
}
async function refresh(names) {
  const reply = await fetch("shots?" + names.map(n => "name=" + encodeURIComponent(n)).join("&")).catch(() => null);
  if (!reply || !reply.ok) return;
  const {"": sums, ...others} = await reply.json();
  $(".sums").innerHTML = sums;
  for (const [name, html] of Object.entries(others)) {
    const old = shotOf(name), box = document.createElement("template");
    box.innerHTML = html;
    const fresh = box.content.querySelector("article");
    if (!old || !fresh) continue;
    const focused = old === document.activeElement;
    fresh.hidden = old.hidden;
    old.replaceWith(fresh);
    arrive(fresh);
    if (focused) fresh.focus({preventScroll: true});
    const mark = marks.get(name);
    if (mark) mark.className = [...mark.classList].filter(c => /^g\d+$|^here$/.test(c)).concat(fresh.classList[1], fresh.classList.contains("picked") ? "picked" : []).join(" ");
    if (view && view.article === old) {
      view.article = fresh;
      const takes = data(fresh).takes, before = data(old).takes[view.take].versions.length;
      view.take = Math.min(view.take, takes.length - 1);
      const many = takes[view.take].versions.length;
      if (many !== before) view.version = many - 1;  /* a new version has come: show it */
      if (view.compare && pictures(data(fresh)).length <= Math.max(view.compare.a, view.compare.b)) view.compare = null;
      render();
    }
  }
  count();
  if (filter !== "all" || $("#search").value) sift();
}
function running(state) {
  const box = $("#run");
  box.hidden = !state.line;
  if (!state.line) return;
  $(".line", box).textContent = state.line;
  $(".bar", box).style.setProperty("--done", (state.total ? 100 * state.done / state.total : 0) + "%");
  $("[data-stop]", box).hidden = !state.running;
}
if (settings.served) {
  const events = new EventSource("events");
  let lost = false;
  events.addEventListener("error", () => { lost = true; if (events.readyState === 2) toast("The review has ended; open its new address"); });
  events.addEventListener("open", () => { if (lost) refresh(shots().map(a => a.dataset.shot)); lost = false; });  /* what we have missed */
  events.addEventListener("shots", e => refresh(JSON.parse(e.data)));
  events.addEventListener("run", e => running(JSON.parse(e.data)));
  events.addEventListener("reload", () => { if (!view && !sheet.open) location.reload(); else toast("The scene file has changed; reload the page to see it"); });
  events.addEventListener("problem", e => toast(JSON.parse(e.data)));
  $("[data-stop]").addEventListener("click", () => post("stop", {}));
}
})();
