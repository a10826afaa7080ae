// @ts-check
/* The shots of the page: their elements, and what the page knows of each. */

/* What cannot be shown is not shown as a broken picture. */
document.addEventListener(
  "error",
  event => {
    const image = hit(event);
    if (image.tagName !== "IMG") return;
    if (image.closest(".still")) image.replaceWith(h("span", {class: "gap"}, "No preview"));
    else if (image.closest(".take")) image.remove();
  },
  true,
);

const marks = new Map($$(".strip a").map(a => [a.dataset.for, a]));
const shots = () => $$("article[data-shot]");
const shotOf = name => document.getElementById("s-" + name);
const known = new WeakMap();
function data(article) {
  if (!known.has(article)) {
    const found = JSON.parse($(":scope > script", article).textContent);
    found.threads = found.threads || [];
    for (const take of found.takes) {
      take.versions = take.versions || [];
      Object.assign(take, drafts.get(take.slot) || {});
    }
    known.set(article, found);
  }
  return known.get(article);
}
const last = list => list[list.length - 1];
const shotName = slot => slot.split("#")[0].split("@")[0];
const allFiles = found => found.takes.flatMap(t => t.versions.flatMap(v => v.files));
const fileOf = (take, version, output = 0) => {
  const found = version === undefined ? last(take.versions) : take.versions[version];
  return found ? found.files[output] || found.files[0] : null;
};
function thumbOf(article, file) {
  if (!file) return "";
  if (file.thumb) return file.thumb;
  const image = $$("img[data-id]", article).find(i => i.dataset.id === file.id);
  return image ? image.src : "";
}
function shownTake(found) {
  const there = found.takes.filter(t => t.versions.length);
  return (
    there.find(t => t.choice === "pick") ||
    there.find(t => t.choice !== "reject") ||
    there[0] ||
    found.takes[0]
  );
}
