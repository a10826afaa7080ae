// @ts-check
/* --- the viewer ---------------------------------------------------------------------------------- */

let rendering = false;
/**
 * The shot that is open: what is shown of it, and the place that is marked for a new note.
 * @type {any} {article, take, version, output, compare: {a, b, wipe} or null, marking, place}
 */
let view = null;
const visible = () => shots().filter(a => !a.hidden);
function leave() {
  if (focused() && focused().id === "note") focused().blur();
}
const fresh = {output: 0, compare: null, marking: false, place: null};
function show(article, takeIndex) {
  leave();
  const found = data(article);
  if (!found.takes.length) {
    toast("No picture is asked for here");
    return;
  }
  const take =
    takeIndex === undefined ? Math.max(0, found.takes.indexOf(shownTake(found))) : Number(takeIndex);
  fill(article);
  view = {article, take, version: found.takes[take].versions.length - 1, ...fresh};
  render();
  if (!viewer.open) viewer.showModal();
  $(".vhead h2", viewer).focus();
}
function step(by) {
  const all = visible().filter(a => data(a).takes.length),
    at = all.indexOf(view.article);
  const next = all[at + by];
  if (next) show(next);
}
function turn(to) {
  const takes = data(view.article).takes;
  if (!takes[to]) return;
  leave();
  Object.assign(view, {take: to, version: takes[to].versions.length - 1, ...fresh});
  render();
}
const nameOf = (found, take) =>
  found.takes.length > 1 ? "take " + take.n + (take.model ? ", " + take.model : "") : "";
const absent = file =>
  file.away ? "In the store, not here: " + file.away + " brings it" : "Its file is gone";
function medium(article, file, {player = true, muted = false} = {}) {
  if (!file) return h("span", {class: "gap"}, "Not made yet");
  const label = file.name;
  if (file.type === "image")
    return file.src
      ? h("img", {
          src: file.src,
          alt: label,
          onerror: e => {
            const t = thumbOf(article, file);
            if (t && e.target.src !== t) e.target.src = t;
          },
        })
      : h("span", {class: "gap"}, absent(file));
  if (file.type === "video")
    return file.src
      ? h("video", {
          src: file.src,
          poster: file.poster || thumbOf(article, file) || null,
          controls: player,
          loop: true,
          playsinline: true,
          muted,
          preload: "auto",
          "aria-label": label,
        })
      : h("span", {class: "gap"}, absent(file));
  if (file.type === "audio")
    return file.src
      ? h("audio", {src: file.src, controls: true, preload: "metadata", "aria-label": label})
      : h("span", {class: "gap"}, absent(file));
  return file.src
    ? h("a", {class: "gap", href: file.src}, "Open the text")
    : h("span", {class: "gap"}, "Text");
}
function texted(pieces) {
  return pieces.map(([how, words]) =>
    how === "o" ? h("del", {}, words) : how === "n" ? h("ins", {}, words) : words,
  );
}

function render() {
  const {article} = view,
    found = data(article),
    take = found.takes[view.take];
  const version = take.versions[view.version],
    file = version ? version.files[view.output] || version.files[0] : null;
  const all = visible(),
    title = $(":scope > .title", article);
  const box = focused();
  const typing = viewer.contains(box) && box.tagName === "TEXTAREA" ? box : null;
  const focus = viewer.contains(box) && box.dataset ? box.dataset.key : null;
  const composed = $("#compose", viewer) ? $("#compose", viewer).value : "";
  viewer.setAttribute("aria-label", "Shot " + found.name);
  const head = h(
    "div",
    {class: "vhead"},
    h("h2", {tabindex: "-1"}, found.name),
    h(
      "span",
      {class: "of"},
      [title && title.textContent, nameOf(found, take), `${all.indexOf(article) + 1} of ${all.length}`]
        .filter(Boolean)
        .join(" · "),
    ),
    comparable(found)
      ? h(
          "button",
          {
            type: "button",
            class: "quiet",
            "data-key": "compare",
            "aria-pressed": String(Boolean(view.compare)),
            onclick: compare,
          },
          view.compare ? "Stop comparing" : "Compare",
        )
      : null,
    h(
      "button",
      {
        type: "button",
        class: "icon",
        "aria-label": "Previous shot",
        "data-key": "back",
        onclick: () => step(-1),
      },
      "←",
    ),
    h(
      "button",
      {type: "button", class: "icon", "aria-label": "Next shot", "data-key": "on", onclick: () => step(1)},
      "→",
    ),
    h(
      "button",
      {
        type: "button",
        class: "icon",
        "aria-label": "Close",
        "data-key": "close",
        onclick: () => viewer.close(),
      },
      "✕",
    ),
  );
  rendering = true;
  viewer.replaceChildren(
    head,
    view.compare ? wiping(found) : stage(article, take, file),
    rail(found),
    side(found, take, version, file),
  );
  rendering = false;
  const clip = $(".stage > video", viewer);
  if (clip) clip.play().catch(() => {});
  if ($("#compose", viewer)) $("#compose", viewer).value = composed;
  if (focus) refocus(focus, typing);
}
/* Put the focus back to where it was before the viewer was drawn again, and to the place in a text. */
function refocus(key, typing) {
  const again = $$("[data-key]", viewer).find(b => b.dataset.key === key);
  if (!again) return;
  if (typing) again.value = typing.value;
  if (typing && typing.dataset.was !== undefined) again.dataset.was = typing.dataset.was;
  again.focus();
  if (typing) again.setSelectionRange(typing.selectionStart, typing.selectionStart);
}

function rail(found) {
  const {article} = view,
    outputs = (found.takes[view.take].versions[view.version] || {files: []}).files;
  const several = found.takes.length > 1;
  const picture = file => {
    const source = thumbOf(article, file);
    return source ? h("img", {alt: "", src: source}) : null;
  };
  return h(
    "div",
    {class: "rail"},
    several
      ? found.takes.map((take, i) =>
          h(
            "button",
            {
              type: "button",
              class: ["take", take.state, take.choice, take.star && "starred"].filter(Boolean).join(" "),
              "data-key": "take" + i,
              "aria-current": i === view.take ? "true" : null,
              "aria-label":
                "Take " +
                take.n +
                (take.model ? ", " + take.model : "") +
                (take.choice ? ", " + take.choice + "ed" : ""),
              onclick: () => turn(i),
            },
            picture(fileOf(take)),
            h("b", {}, take.label),
          ),
        )
      : null,
    outputs.length > 1
      ? outputs.map((file, i) =>
          h(
            "button",
            {
              type: "button",
              class: "take",
              "data-key": "output" + i,
              "aria-current": i === view.output ? "true" : null,
              "aria-label": "Output " + (i + 1),
              onclick: () => {
                view.output = i;
                render();
              },
            },
            picture(file),
            h("b", {}, "o" + (i + 1)),
          ),
        )
      : null,
  );
}

/* Swiping over the picture: left is the next shot. */
let finger = null;
viewer.addEventListener(
  "touchstart",
  event => {
    const touch = event.touches[0];
    finger =
      event.touches.length === 1 && hit(event).closest(".stage") && view && !view.compare && !view.marking
        ? {x: touch.clientX, y: touch.clientY}
        : null;
  },
  {passive: true},
);
viewer.addEventListener(
  "touchend",
  event => {
    const touch = event.changedTouches[0];
    if (!finger || !view) return;
    const x = touch.clientX - finger.x,
      y = touch.clientY - finger.y;
    finger = null;
    if (Math.abs(x) > 60 && Math.abs(x) > 2 * Math.abs(y)) step(x < 0 ? 1 : -1);
  },
  {passive: true},
);
viewer.addEventListener("close", () => {
  const article = view && view.article;
  for (const clip of $$("video, audio", viewer)) clip.pause();
  viewer.replaceChildren();
  view = null;
  if (article && article.isConnected) {
    article.scrollIntoView({block: "nearest"});
    article.focus({preventScroll: true});
  }
});
document.addEventListener("click", event => {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  const article = hit(event).closest("article[data-shot]");
  if (!article || viewer.contains(article)) return;
  const take = hit(event).closest("[data-take]"),
    opener = hit(event).closest("[data-open]");
  if (take) show(article, take.dataset.take);
  else if (opener) {
    event.preventDefault();
    show(article);
  }
});
