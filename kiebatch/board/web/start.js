// @ts-check
/* Begin: everything above is there now. */

const here = new IntersectionObserver(
  seen => {
    for (const entry of seen) {
      const shot = /** @type {HTMLElement} */ (entry.target).dataset.shot;
      const mark = marks.get(shot);
      if (mark) mark.classList.toggle("here", entry.isIntersecting);
    }
  },
  {rootMargin: "-25% 0px -45% 0px"},
);
function arrive(article) {
  watch(article);
  showPrompt(article);
  here.observe(article);
}
for (const article of shots()) arrive(article);
offer();
offerElsewhere();
if (lines.length) count();
$("#play").hidden = !shots().some(article => data(article).seconds && shownFile(data(article)));
asSent.hidden = !shots().some(article => data(article).sent);
