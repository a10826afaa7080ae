// @ts-check
/* Dialogs on the page, and the help. */

function openDialog(dialog, content) {
  dialog.replaceChildren(...content.filter(Boolean));
  const title = $("h2", dialog);
  if (title) dialog.setAttribute("aria-label", title.textContent);
  if (!dialog.open) dialog.showModal();
}
const keyHelp = [
  ["← →", "the shot before, the next one"],
  ["Enter", "open the shot"],
  ["1 … 9", "a take"],
  ["↑ ↓", "the take before, the next one"],
  ["v", "the version before"],
  ["c", "compare with a wipe"],
  ["p", "pick, or take it back"],
  ["x", "reject"],
  ["s", "star"],
  ["n", "note"],
  ["m", "mark a place for a note"],
  ["Space", "play or pause"],
  ["f", "play the film; again for full screen"],
  ["J K L", "in the film: back, stop, forward"],
  ["/", "search"],
  ["Esc", "close"],
];
function help() {
  const row = ([key, what]) => h("tr", {}, h("td", {}, h("kbd", {}, key)), h("td", {}, what));
  const toggle = event => {
    keysOff = !hit(event).checked;
    stored.set("kiebatch keys off", keysOff);
  };
  const starter = ([name, terms]) => [h("dt", {}, `negative: ${name}`), h("dd", {}, terms)];
  openDialog(sheet, [
    h("h2", {}, "Keys"),
    h("table", {class: "keys"}, h("tbody", {}, keyHelp.map(row))),
    h(
      "p",
      {},
      h(
        "label",
        {},
        h("input", {type: "checkbox", checked: !keysOff, onchange: toggle}),
        " Single keys work",
      ),
    ),
    settings.guest ? null : yourName(),
    h("h3", {}, "What to avoid"),
    h("p", {}, "Specific words, synonyms for what matters most, 10 to 15 at most, and no `no`. Lists to start from:"),
    h("dl", {}, Object.entries(settings.starters).flatMap(starter)),
    h(
      "div",
      {class: "row"},
      button("Close", () => sheet.close(), {class: "loud"}),
    ),
  ]);
}
$("#help").addEventListener("click", help);
sheet.addEventListener("click", event => {
  if (hit(event) === sheet) sheet.close();
});
sheet.addEventListener("close", () => sheet.replaceChildren());
