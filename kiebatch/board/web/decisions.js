// @ts-check
/* Picks, rejections, stars and the note on a take. */

/* Show a shot as it is now, without asking a server. */
function repaint(article) {
  const found = data(article),
    shown = shownTake(found);
  article.classList.toggle(
    "picked",
    found.takes.some(t => t.choice === "pick"),
  );
  article.classList.toggle(
    "starred",
    found.takes.some(t => t.star),
  );
  const facets = new Set(article.dataset.facets.split(" ").filter(Boolean));
  const set = (facet, on) => (on ? facets.add(facet) : facets.delete(facet));
  set("picked", article.classList.contains("picked"));
  set(
    "unpicked",
    !article.classList.contains("picked") && found.takes.filter(t => t.versions.length).length > 1,
  );
  set("starred", article.classList.contains("starred"));
  set("noted", found.takes.some(t => t.note) || found.threads.some(t => !t.done));
  const mark = marks.get(found.name);
  if (mark) mark.classList.toggle("picked", article.classList.contains("picked"));
  article.dataset.facets = [...facets].join(" ");
  for (const button of $$("ol.takes .take", article)) {
    const take = found.takes[button.dataset.take];
    button.classList.toggle("pick", take.choice === "pick");
    button.classList.toggle("reject", take.choice === "reject");
    button.classList.toggle("starred", Boolean(take.star));
    button.classList.toggle("current", take === shown);
    const state = {pick: ", picked", reject: ", rejected"}[take.choice] || "";
    button.setAttribute(
      "aria-label",
      button.getAttribute("aria-label").replace(/, (picked|rejected)$/, "") + state,
    );
  }
  const image = $(".still > img", article),
    file = shown && fileOf(shown);
  if (image && file && image.dataset.id !== file.id) {
    fill(article); /* keep what the page alone knew of the old picture */
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
  for (const old of $$(":scope > .note:not(.discussion)", article)) old.remove();
  for (const take of found.takes)
    if (take.note) {
      const label =
        (found.takes.length > 1 ? "Take " + take.n : "Note") + (take.author ? ", " + take.author : "");
      $(":scope > script", article).before(
        h("p", {class: "note"}, h("span", {class: "key"}, label), " ", take.note),
      );
    }
}

async function decide(article, take, what) {
  const before = {choice: take.choice, note: take.note, star: take.star};
  if (what.decision) {
    if (what.decision === "pick")
      for (const other of data(article).takes) if (other.choice === "pick") other.choice = "";
    take.choice = what.decision === "none" ? "" : what.decision;
  }
  if ("note" in what) take.note = what.note;
  if ("star" in what) take.star = what.star;
  repaint(article);
  count();
  if (!server) {
    const {was, ...line} = what;
    remember({slot: take.slot, ...line});
    return true;
  }
  const reply = await server.post("decide", {
    slot: take.slot,
    author: stored.get("kiebatch name") || "",
    ...what,
  });
  if (reply.ok) return true;
  Object.assign(take, before);
  if (reply.status === 409) {
    take.note = reply.body.note;
    const who = reply.body.author || "Somebody";
    toast(`${who} changed this note meanwhile: “${reply.body.note}”. Yours is not saved yet.`);
  } else toast(reply.body.message || "Not saved");
  repaint(article);
  return false;
}

/* Save a note when its field is left. Where somebody else has changed it meanwhile, both are kept: theirs is saved,
   ours stays in the field and goes over theirs when the field is left once more. */
async function keep(article, take, box) {
  const was = box.dataset.was,
    note = box.value.trim();
  if (rendering || note === was) return;
  box.dataset.was = note;
  if (await decide(article, take, {note, was})) {
    toast("Note saved");
    return;
  }
  box.dataset.was = take.note || "";
}

function reject(article, take) {
  const why = h(
    "textarea",
    {class: "text", rows: "3", "aria-label": "Why", maxlength: "4000"},
    take.note || "",
  );
  const done = async () => {
    sheet.close();
    const note = why.value.trim(),
      was = take.note || "";
    if (await decide(article, take, note === was ? {decision: "reject"} : {decision: "reject", note, was}))
      toast("Rejected " + take.slot);
    if (view) render();
  };
  why.addEventListener("keydown", e => {
    if (e.key === "Enter" && !e.shiftKey) {
      e.preventDefault();
      done();
    }
  });
  openDialog(sheet, [
    h("h2", {}, "Reject " + take.slot),
    h("p", {}, "A reason helps whoever makes the next one."),
    why,
    h(
      "div",
      {class: "row"},
      h("button", {type: "button", class: "quiet", onclick: () => sheet.close()}, "Cancel"),
      h("button", {type: "button", class: "loud", onclick: done}, "Reject"),
    ),
  ]);
  why.focus();
}
