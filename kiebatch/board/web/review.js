// @ts-check
/* The part of the page that speaks to the review server. */

async function post(path, body) {
  try {
    const reply = await fetch(path, {
      method: "POST",
      headers: {"content-type": "application/json"},
      body: JSON.stringify(body),
    });
    return {ok: reply.ok, status: reply.status, body: await reply.json()};
  } catch {
    return {ok: false, status: 0, body: {message: "The review is not running any more"}};
  }
}
document.addEventListener("click", event => {
  const asked = hit(event).closest("[data-action]");
  if (asked) propose({kind: asked.dataset.action});
});

/* --- proposing and confirming ---------------------------------------------------------------------- */

/* What the scene file says of a take's prompt; nothing where that cannot be had, which is then said. */
async function promptOf(take) {
  const reply = await post("prompt", {slot: take.slot});
  if (reply.ok) return reply.body;
  cannot(reply.body);
  return null;
}

const wordsBox = (label, words) =>
  h("textarea", {class: "text", rows: "6", "aria-label": label, maxlength: "20000"}, words);

async function reword(take) {
  const written = await promptOf(take);
  if (!written) return;
  const box = wordsBox("Prompt", written.prompt);
  const choice = (value, words, checked) =>
    h("label", {class: "choice"}, h("input", {type: "radio", name: "takes", value, checked}), " " + words);
  const next = () =>
    propose({
      kind: $("input[name=takes]:checked", sheet).value,
      slot: take.slot,
      prompt: box.value,
    });
  openDialog(sheet, [
    h("h2", {}, "Prompt of " + shotName(take.slot)),
    h("p", {}, "As it is in the scene file, before styles and characters."),
    box,
    h(
      "fieldset",
      {},
      h("legend", {}, "Make"),
      choice("reworded", "one more take with these words; the takes that are there stay as they are", true),
      choice("prompt", "all takes of this shot again with these words", false),
    ),
    h(
      "div",
      {class: "row"},
      button("Cancel", () => sheet.close()),
      button("Show what it costs", next, {class: "loud"}),
    ),
  ]);
  box.focus();
}

/* The words of a chat model beside the author's: they are sent while they are there; edit them, or drop them. */
async function enhanced(take) {
  const written = await promptOf(take);
  if (!written) return;
  const box = wordsBox("Enhanced prompt", written.enhanced);
  const next = kind => () => propose({kind, slot: take.slot, prompt: kind === "enhanced" ? box.value : ""});
  openDialog(sheet, [
    h("h2", {}, "Enhanced prompt of " + shotName(take.slot)),
    h("h3", {}, "As the author wrote it"),
    h("p", {class: "prompt"}, written.raw),
    h("h3", {}, "As it is sent"),
    box,
    h(
      "div",
      {class: "row"},
      button("Keep it", () => sheet.close()),
      button("Drop it…", next("plain")),
      button("Send these words…", next("enhanced"), {class: "loud"}),
    ),
  ]);
  box.focus();
}

async function propose(action) {
  openDialog(sheet, [h("h2", {}, "One moment"), h("p", {}, "Working out what this would do.")]);
  const reply = await post("plan", action);
  if (!sheet.open) return;
  if (!reply.ok) {
    cannot(reply.body);
    return;
  }
  const plan = reply.body;
  const confirm = async event => {
    hit(event).disabled = true;
    const started = await post("run", {plan: plan.id});
    if (started.ok) {
      sheet.close();
      toast("Started");
      return;
    }
    hit(event).disabled = false;
    toast(started.body.message);
  };
  openDialog(sheet, [
    h("h2", {}, plan.title),
    plan.diff ? difference(plan.diff) : null,
    plan.jobs.length ? jobTable(plan.jobs) : null,
    plan.jobs.length || action.kind === "convert" ? null : h("p", {}, "Nothing would be made."),
    plan.note ? h("p", {class: plan.may ? null : "err"}, plan.note) : null,
    h(
      "div",
      {class: "row"},
      h("span", {class: "price"}, plan.total),
      button(plan.may ? "Cancel" : "Close", () => sheet.close()),
      plan.may ? button(plan.does, confirm, {class: "loud"}) : null,
      !plan.may && plan.diff ? button("Copy the change", () => copyText(plan.diff), {class: "loud"}) : null,
    ),
  ]);
}
function cannot(reply) {
  const convert = reply.kind === "CannotEdit" && settings.write;
  openDialog(sheet, [
    h("h2", {}, "This can't be done"),
    h("p", {class: "err"}, reply.message),
    reply.hint ? h("p", {}, reply.hint) : null,
    h(
      "div",
      {class: "row"},
      button("Close", () => sheet.close()),
      convert ? button("Convert to YAML…", () => propose({kind: "convert"}), {class: "loud"}) : null,
    ),
  ]);
}
function difference(text) {
  const mark = line => ({"+": "plus", "-": "minus", "@": "at"})[line[0]] || null;
  return h(
    "pre",
    {tabindex: "0", "aria-label": "Change of the scene file"},
    text.split("\n").map(line => h("span", {class: mark(line)}, line + "\n")),
  );
}
function jobTable(jobs) {
  const row = job =>
    h(
      "tr",
      {},
      [job.slot, job.model, job.reason, job.credits].map(cell => h("td", {}, cell)),
    );
  return h("table", {}, h("tbody", {}, jobs.map(row)));
}

/* --- following the server --------------------------------------------------------------------------- */

async function refresh(names) {
  const query = names.map(n => "name=" + encodeURIComponent(n)).join("&");
  const reply = await fetch("shots?" + query).catch(() => null);
  if (!reply || !reply.ok) return;
  const {"": sums, ...others} = await reply.json();
  $(".sums").innerHTML = sums;
  for (const [name, html] of Object.entries(others)) swap(name, html);
  count();
  if (filter !== "all" || $("#search").value) sift();
}
function swap(name, html) {
  const old = shotOf(name);
  const box = document.createElement("template");
  box.innerHTML = html;
  const made = $("article", box.content);
  if (!old || !made) return;
  const had = old === focused();
  made.hidden = old.hidden;
  old.replaceWith(made);
  arrive(made);
  if (had) made.focus({preventScroll: true});
  const mark = marks.get(name);
  if (mark)
    mark.className = [...mark.classList]
      .filter(c => /^g\d+$|^here$/.test(c))
      .concat(made.classList[1], made.classList.contains("picked") ? "picked" : [])
      .join(" ");
  if (view && view.article === old) follow(old, made);
}
/* The open shot was drawn again: show its new version when one has come. */
function follow(old, made) {
  view.article = made;
  const takes = data(made).takes;
  const before = data(old).takes[view.take].versions.length;
  view.take = Math.min(view.take, takes.length - 1);
  const many = takes[view.take].versions.length;
  if (many !== before) view.version = many - 1;
  if (view.compare && pictures(data(made)).length <= Math.max(view.compare.a, view.compare.b))
    view.compare = null;
  if (!$("[data-key=field]", viewer))
    render(); /* somebody is writing an answer: it is drawn when that is done */
}
function running(state) {
  const box = $("#run");
  box.hidden = !state.line;
  if (!state.line) return;
  $(".line", box).textContent = state.line;
  $(".bar", box).style.setProperty("--done", (state.total ? (100 * state.done) / state.total : 0) + "%");
  $("[data-stop]", box).hidden = !state.running || settings.guest;
}
function listen() {
  const events = new EventSource("events");
  let lost = false;
  const on = (name, then) => events.addEventListener(name, event => then(JSON.parse(event.data)));
  events.addEventListener("error", () => {
    lost = true;
    if (events.readyState === 2) toast("The review has ended; open its new address");
  });
  events.addEventListener("open", () => {
    if (lost) refresh(shots().map(a => a.dataset.shot)); /* what was missed meanwhile */
    lost = false;
  });
  on("shots", refresh);
  on("run", running);
  on("problem", toast);
  on("reload", () => {
    if (!view && !sheet.open && !playing.open) location.reload();
    else toast("The scene file has changed; reload the page to see it");
  });
}
server = {post, propose, reword, enhanced};
listen();
$("[data-stop]").addEventListener("click", () => post("stop", {}));
