// @ts-check
/* Small pictures are filled in as they come near; filters and the search hide what does not match. */

function fill(article) {
  for (const image of $$("img[data-of]:not([src])", article)) {
    const file = allFiles(data(article)).find(f => f.id === image.dataset.of);
    const source = thumbOf(article, file);
    if (source) image.src = source;
  }
}
const near = new IntersectionObserver(
  seen => {
    for (const entry of seen)
      if (entry.isIntersecting) {
        near.unobserve(entry.target);
        fill(entry.target);
      }
  },
  {rootMargin: "600px"},
);
function watch(article) {
  if (drafts.size && data(article).takes.some(t => drafts.has(t.slot))) repaint(article);
  if ($("img[data-of]", article)) near.observe(article);
}
addEventListener("beforeprint", () => {
  shots().forEach(fill);
  for (const box of $$("details")) box.open = true; /* what is folded away cannot be opened on paper */
});

/* --- filter and search --------------------------------------------------------------------------- */

const texts = new WeakMap();
let filter = "all";
function textOf(article) {
  if (!texts.has(article)) {
    const own = [...article.children].filter(c => c.tagName !== "SCRIPT").map(c => c.textContent);
    const scene = article.closest("section");
    texts.set(
      article,
      [
        article.getAttribute("aria-label"),
        scene ? scene.firstElementChild.textContent : "",
        ...own,
        ...data(article).prompts,
      ]
        .join(" ")
        .toLowerCase(),
    );
  }
  return texts.get(article);
}
function sift() {
  const words = $("#search").value.toLowerCase().split(/\s+/).filter(Boolean);
  let fits = 0,
    all = 0;
  for (const article of shots()) {
    const ok =
      (filter === "all" || article.dataset.facets.split(" ").includes(filter)) &&
      words.every(w => textOf(article).includes(w));
    article.hidden = !ok;
    all += 1;
    fits += ok;
  }
  const sifted = filter !== "all" || words.length;
  for (const scene of $$("section.scene")) {
    scene.hidden = Boolean(sifted) && !$("article[data-shot]:not([hidden])", scene);
  }
  for (const mark of $$(".strip a")) {
    const shot = shotOf(mark.dataset.for);
    mark.classList.toggle("out", Boolean(shot && shot.hidden));
  }
  $("#nothing").hidden = fits > 0 || !all;
  $("#found").textContent = sifted ? `${fits} of ${all} match` : "";
  for (const one of $$(".filters [data-filter]"))
    one.setAttribute("aria-pressed", String(one.dataset.filter === filter));
}
function count() {
  const found = {};
  for (const article of shots())
    for (const facet of article.dataset.facets.split(" ")) found[facet] = (found[facet] || 0) + 1;
  for (const button of $$(".filters [data-filter]")) {
    const number = $("small", button);
    if (number) number.textContent = found[button.dataset.filter] || 0;
    else if (button.dataset.filter !== "all" && found[button.dataset.filter])
      button.append(h("small", {}, found[button.dataset.filter]));
  }
}
let searching;
$("#search").addEventListener("input", () => {
  clearTimeout(searching);
  searching = setTimeout(sift, 60);
});
document.addEventListener("click", event => {
  const chosen = hit(event).closest("[data-filter]");
  if (!chosen) return;
  filter = chosen.dataset.filter;
  if (chosen.closest("#nothing")) $("#search").value = "";
  sift();
});

/* --- the author's words, or the whole prompt -------------------------------------------------------- */

const asSent = $("#sent");
function showPrompt(article) {
  const found = data(article);
  const place = $(":scope > .prompt", article);
  if (!found.sent || !place || $("ins, del", place)) return;
  if (found.words === undefined) found.words = place.textContent;
  place.textContent =
    asSent.getAttribute("aria-pressed") === "true" ? found.prompts[found.sent - 1] : found.words;
}
asSent.addEventListener("click", () => {
  asSent.setAttribute("aria-pressed", String(asSent.getAttribute("aria-pressed") !== "true"));
  shots().forEach(showPrompt);
});
