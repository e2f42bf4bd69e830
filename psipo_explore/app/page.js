const psipoNarrow = "(max-width: 600px)";
// Until the address has been opened, the picture that the page was built with may not be the one that is wanted.
if (location.search || matchMedia(psipoNarrow).matches) document.documentElement.classList.add("psipo-coming");
// A page that the browser kept from before has lost its kernel.
addEventListener("pageshow", (event) => event.persisted && location.reload());
