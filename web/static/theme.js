// Light or dark: what the reader chose in this browser, else what the system says. Runs before the first paint.
(() => {
  const KEY = "greenlight-theme";
  const root = document.documentElement;

  function stored() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      // A browser may refuse storage; the system's choice holds then.
      return null;
    }
  }

  function apply(choice) {
    if (choice === "light" || choice === "dark") root.dataset.theme = choice;
    else delete root.dataset.theme;
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === (root.dataset.theme ?? "system")));
    }
  }

  apply(stored());

  document.addEventListener("DOMContentLoaded", () => {
    for (const group of document.querySelectorAll("[data-theme-switch]")) group.hidden = false;
    apply(stored());
    document.addEventListener("click", (event) => {
      const button = event.target.closest("[data-theme-choice]");
      if (!button) return;
      try {
        if (button.dataset.themeChoice === "system") localStorage.removeItem(KEY);
        else localStorage.setItem(KEY, button.dataset.themeChoice);
      } catch {
        // Then it holds for this page alone.
      }
      apply(button.dataset.themeChoice);
    });
  });

  // Another tab of the studio has switched.
  window.addEventListener("storage", (event) => {
    if (event.key === KEY) apply(event.newValue);
  });
})();
