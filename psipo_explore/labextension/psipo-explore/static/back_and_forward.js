// JupyterLab gives each notebook its own address, but does not follow the address when the browser goes back or forward.
(() => {
const DOCUMENT = /\/doc\/tree\/(.+)$/;

const backAndForward = {
  id: "psipo-explore:back-and-forward",
  autoStart: true,
  activate(app) {
    // To say the same address again would take away the pages that lie ahead.
    const push = history.pushState.bind(history);
    history.pushState = (state, title, url) =>
      new URL(url, location).pathname === location.pathname ? history.replaceState(state, title, url) : push(state, title, url);
    addEventListener("popstate", () => {
      const [, path] = location.pathname.match(DOCUMENT) || [];
      if (path) app.commands.execute("docmanager:open", { path: decodeURIComponent(path) });
    });
  },
};

// What JupyterLab asks of an extension that was built ahead.
(window._JUPYTERLAB ||= {})["psipo-explore"] = {
  init() {},
  get: async () => () => ({ __esModule: true, default: backAndForward }),
};
})();
