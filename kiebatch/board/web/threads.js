// @ts-check
/* Notes with a place: pins on the picture, threads beside it, and how far the shot is. */

const timed = file => Boolean(file) && (file.type === "video" || file.type === "audio");
const hasPicture = file => Boolean(file && file.src) && (file.type === "image" || file.type === "video");
const isAbout = (thread, take, file) =>
  thread.slot === take.slot && (!thread.sha || !file || !file.sha || file.sha.startsWith(thread.sha));
const myName = () =>
  settings.guest ? settings.author + " (guest)" : stored.get("kiebatch name") || settings.author;

/* --- the picture with its pins ------------------------------------------------------------------------ */

function stage(article, take, file) {
  const shown = medium(article, file);
  const box = h("div", {class: "stage"}, shown);
  if (!hasPicture(file)) return box;
  const layer = h("div", {class: "pins" + (view.marking ? " marking" : "")});
  const pins = data(article).threads.filter(t => t.at && isAbout(t, take, file));
  for (const [i, thread] of pins.entries()) if (!thread.done) layer.append(pin(thread, i + 1));
  if (view.place) layer.append(placed(h("span", {class: "pin new", "aria-hidden": "true"}), view.place));
  if (view.marking) layer.append(cursor(layer));
  box.append(layer);
  const fit = () => fitLayer(layer, box, shown, file);
  new ResizeObserver(fit).observe(box);
  for (const name of ["load", "loadedmetadata"]) shown.addEventListener(name, fit);
  return box;
}
/* The pins lie over the picture itself, not over the black beside it. */
function fitLayer(layer, box, shown, file) {
  const width = shown.naturalWidth || shown.videoWidth || file.w;
  const height = shown.naturalHeight || shown.videoHeight || file.h;
  if (!width || !height || !box.clientWidth) return;
  const scale = Math.min(box.clientWidth / width, box.clientHeight / height);
  const set = (name, value) => layer.style.setProperty(name, value + "px");
  set("width", width * scale);
  set("height", height * scale);
  set("left", (box.clientWidth - width * scale) / 2);
  set("top", (box.clientHeight - height * scale) / 2);
}
function placed(element, [x, y, w, h]) {
  const set = (name, value) => element.style.setProperty(name, 100 * value + "%");
  set("left", x);
  set("top", y);
  if (w || h) {
    element.classList.add("region");
    set("width", w);
    set("height", h);
  }
  return element;
}
function pin(thread, number) {
  const go = () => {
    seek(thread);
    const note = $(`[data-thread="${CSS.escape(thread.id)}"]`, viewer);
    if (note) note.focus();
  };
  const label = `Note ${number} by ${thread.author || "somebody"}: ${thread.text.slice(0, 80)}`;
  return placed(
    h(
      "button",
      {type: "button", class: "pin", "data-key": "pin" + thread.id, "aria-label": label, onclick: go},
      String(number),
    ),
    thread.at,
  );
}
function seek(thread) {
  const clip = $(".stage video, .stage audio", viewer);
  if (thread.s === undefined || !clip) return;
  clip.pause();
  clip.currentTime = thread.s;
}

/* --- marking a place ----------------------------------------------------------------------------------- */

const share = value => Math.max(0, Math.min(1, value));
function mark() {
  Object.assign(view, {marking: !view.marking, compare: null}); /* a place is in one picture */
  render();
  const point = $(".cursor", viewer);
  if (!point) return;
  $(".stage", viewer).scrollIntoView({block: "nearest"}); /* on a phone it may be above what is seen */
  point.focus();
}
/* With the keyboard: a cross that the arrow keys move. With a pointer: a click, or a frame that is drawn. */
function cursor(layer) {
  const at = view.place ? [view.place[0], view.place[1]] : [0.5, 0.5];
  const point = h("button", {type: "button", class: "cursor", "data-key": "cursor"}, "+");
  const move = () => {
    placed(point, [at[0], at[1], 0, 0]);
    const [x, y] = at.map(value => Math.round(100 * value));
    point.setAttribute(
      "aria-label",
      `Place of the note: ${x} % from the left, ${y} % from the top. Arrow keys move it, Enter keeps it.`,
    );
  };
  point.addEventListener("move", event => {
    const [x, y] = /** @type {CustomEvent} */ (event).detail;
    at[0] = share(at[0] + x);
    at[1] = share(at[1] + y);
    move();
  });
  point.addEventListener("keep", () => keepPlace([at[0], at[1], 0, 0]));
  let from = null;
  const place = event => {
    const box = layer.getBoundingClientRect();
    return [share((event.clientX - box.left) / box.width), share((event.clientY - box.top) / box.height)];
  };
  layer.addEventListener("pointerdown", event => {
    event.preventDefault();
    from = place(event);
    layer.setPointerCapture(event.pointerId);
  });
  layer.addEventListener("pointerup", event => {
    if (!from) return;
    const to = place(event);
    const size = [Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1])];
    const drawn = size[0] > 0.02 && size[1] > 0.02;
    keepPlace(drawn ? [Math.min(from[0], to[0]), Math.min(from[1], to[1]), ...size] : [...to, 0, 0]);
  });
  move();
  return point;
}
function keepPlace(place) {
  Object.assign(view, {place, marking: false});
  render();
  $("#compose", viewer).focus();
}
/* What the arrow keys and Enter do while a place is marked; whether the key was ours. */
function onMark(event) {
  const point = $(".cursor", viewer);
  const by = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
  if (!point || !(by || event.key === "Enter" || event.key === "Escape")) return false;
  event.preventDefault();
  const far = event.shiftKey ? 0.1 : 0.02;
  if (by) point.dispatchEvent(new CustomEvent("move", {detail: by.map(step => step * far)}));
  else if (event.key === "Enter") point.dispatchEvent(new CustomEvent("keep"));
  else mark();
  return true;
}

/* --- threads beside the picture -------------------------------------------------------------------------- */

function discussion(found, take, file) {
  if (!server && !found.threads.length && !found.status) return null;
  return [
    h("h3", {}, "Review"),
    statusOf(found),
    h(
      "ol",
      {class: "threads"},
      found.threads.map(thread => threadOf(found, take, file, thread)),
    ),
    server ? composer(take, file) : null,
  ];
}
function statusOf(found) {
  const words = Object.fromEntries(settings.statuses);
  const now = found.status || "open";
  if (!server || settings.guest) return h("p", {}, words[now]);
  const change = async event => {
    const reply = await send("status", {shot: found.name, status: hit(event).value});
    if (reply) toast(`${found.name}: ${words[hit(event).value]}`);
  };
  return h(
    "p",
    {},
    h(
      "label",
      {},
      "Status ",
      h(
        "select",
        {"data-key": "status", onchange: change},
        settings.statuses.map(([value, label]) => h("option", {value, selected: value === now}, label)),
      ),
    ),
    found.statusBy ? h("span", {class: "by"}, ` by ${found.statusBy}`) : null,
  );
}
function threadOf(found, take, file, thread) {
  const here = isAbout(thread, take, file);
  const pins = found.threads.filter(t => t.at && !t.done && isAbout(t, take, file));
  const number = pins.indexOf(thread) + 1;
  const where = [
    number ? "pin " + number : null,
    thread.s === undefined ? null : thread.s.toFixed(1) + " s",
    here ? null : placeOf(found, thread),
  ];
  const links = [];
  if (here && thread.s !== undefined)
    links.push(button("Go to " + thread.s.toFixed(1) + " s", () => seek(thread), {class: "link"}));
  if (server)
    links.push(
      button("Reply", event => answer(hit(event), thread), {class: "link", "data-key": "reply" + thread.id}),
    );
  if (server && !settings.guest)
    links.push(
      button(thread.done ? "Reopen" : "Done", () => changeNote({id: thread.id, done: !thread.done}), {
        class: "link",
        "data-key": "done" + thread.id,
      }),
    );
  return h(
    "li",
    {class: "thread" + (thread.done ? " done" : ""), tabindex: "-1", "data-thread": thread.id},
    noteOf(thread, where.filter(Boolean).join(", "), links),
    thread.replies ? thread.replies.map(reply => noteOf(reply, "")) : null,
    thread.done ? h("p", {class: "by"}, "Done" + (thread.doneBy ? " by " + thread.doneBy : "")) : null,
  );
}
function placeOf(found, thread) {
  const take = found.takes.find(t => t.slot === thread.slot);
  if (!take) return thread.slot || null;
  const name = found.takes.length > 1 ? "take " + take.n : "";
  return [name, "another version"].filter(Boolean)[0];
}
function noteOf(note, where, links = []) {
  const mine = server && note.author === myName();
  const own = [
    button("Edit", event => editNote(hit(event), note), {class: "link"}),
    button("Delete", () => changeNote({id: note.id, deleted: true}), {class: "link"}),
  ];
  const all = mine ? [...links, ...own] : links;
  return h(
    "div",
    {class: "one"},
    h(
      "p",
      {class: "by"},
      [note.author, note.time, where, note.edited ? "edited" : ""].filter(Boolean).join(" · "),
    ),
    h("p", {class: "text"}, note.text),
    all.length ? h("p", {class: "links"}, all) : null,
  );
}

/* --- writing --------------------------------------------------------------------------------------------- */

function composer(take, file) {
  const box = h("textarea", {
    id: "compose",
    "data-key": "compose",
    rows: "2",
    maxlength: "4000",
    "aria-label": "New note",
    placeholder: "New note",
  });
  const time = h("input", {type: "checkbox", "data-key": "attime"});
  const now = h("span", {}, "0.0 s");
  const clip = () => $(".stage video, .stage audio", viewer);
  if (timed(file))
    queueMicrotask(() => {
      const playing = clip();
      if (playing)
        playing.addEventListener("timeupdate", () =>
          now.replaceChildren(playing.currentTime.toFixed(1) + " s"),
        );
    });
  const add = async () => {
    if (!box.value.trim()) return;
    const [x, y, w, h] = view.place || [];
    const note = {
      slot: take.slot,
      text: box.value,
      at: view.place ? {x, y, w, h} : null,
      seconds: time.checked && clip() ? clip().currentTime : null,
      sha256: file ? file.sha : null,
    };
    if (!(await send("note", note))) return;
    toast("Note added");
    $("#compose", viewer).value = "";
    view.place = null;
    render();
  };
  box.addEventListener("keydown", event => {
    if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) add();
  });
  return h(
    "div",
    {class: "composer"},
    box,
    timed(file) ? h("label", {}, time, " at ", now) : null,
    h(
      "div",
      {class: "acts"},
      hasPicture(file)
        ? button(view.place ? "Move the pin" : "Mark a place", mark, {
            "data-key": "mark",
            "aria-pressed": String(view.marking),
          })
        : null,
      view.place
        ? button("No pin", () => {
            view.place = null;
            render();
          })
        : null,
      button("Add the note", add, {class: "loud", "data-key": "add"}),
    ),
  );
}
/* A small text field in place of a button, for an answer or a change. */
function field(anchor, label, text, save) {
  const box = h("textarea", {rows: "2", maxlength: "4000", "aria-label": label, "data-key": "field"}, text);
  const done = async () => {
    if (box.value.trim() && (await save(box.value)) && view) render();
  };
  box.addEventListener("keydown", event => {
    if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) done();
  });
  anchor.closest(".links").replaceChildren(
    box,
    h(
      "span",
      {class: "acts"},
      button("Cancel", () => render()),
      button("Save", done, {class: "loud"}),
    ),
  );
  box.focus();
}
function answer(anchor, thread) {
  field(anchor, "Reply", "", text => send("note", {slot: thread.slot, text, reply: thread.id}));
}
function editNote(anchor, note) {
  field(anchor, "Change the note", note.text, text => changeNote({id: note.id, text}));
}
const changeNote = change => send("note/change", change);
async function send(path, body) {
  const reply = await server.post(path, {author: stored.get("kiebatch name") || "", ...body});
  if (!reply.ok) toast(reply.body.message || "Not saved");
  return reply.ok;
}
