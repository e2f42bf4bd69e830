// Whatever is wider than its place scrolls. A keyboard reaches it there, also in browsers that would pass it by.
(() => {
const reachable = new ResizeObserver(places => {
  for (const { target } of places) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
addEventListener("DOMContentLoaded", () => {
  for (const place of document.querySelectorAll("div.math, .table-wrapper, article pre")) reachable.observe(place);
});
})();
