// The kernel cannot see the browser, and a spare kernel has built its page before there was one. So the browser says whether it is
// narrow, and asks the kernel to open what the address says, at first and after Back and Forward. It writes into the address what
// the kernel answers.
const OFTEN = 400; // in ms; Safari refuses more than 100 changes of the address in 30 s

export default {
  initialize({ model }) {
    const narrow = matchMedia(psipoNarrow);
    let asked = 0, written = 0, waiting, next;
    const ask = () => {
      forget();
      model.send({ asked: ++asked, query: location.search });
    };
    const turn = () => model.send({ narrow: narrow.matches });
    const forget = () => {
      clearTimeout(waiting);
      waiting = next = undefined;
    };
    const write = () => {
      const query = next;
      forget();
      written = Date.now();
      if (query !== undefined && query !== location.search) history.replaceState(null, "", query + location.hash);
    };
    const hear = ({ answers, query, chosen }) => {
      document.documentElement.classList.remove("psipo-coming");
      if (answers !== asked) return; // was sent before Back or Forward, and belongs to the page left
      if (chosen) {
        write();
        history.pushState(null, "", query);
      } else {
        next = query;
        waiting ??= setTimeout(write, Math.max(0, written + OFTEN - Date.now()));
      }
    };
    model.on("msg:custom", hear);
    addEventListener("popstate", ask);
    narrow.addEventListener("change", turn);
    turn();
    ask();
    return () => {
      narrow.removeEventListener("change", turn);
      removeEventListener("popstate", ask);
      model.off("msg:custom", hear);
      forget();
    };
  },
};
