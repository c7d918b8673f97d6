/**
 * Sign-in by Clerk: loads Clerk's own script from the application's Frontend API, keeps its session token fresh on every
 * page (the script renews the `__session` cookie, which lives for a minute), and shows its sign-in on the sign-in page.
 *
 * The publishable key names that address: `pk_live_` or `pk_test_`, then the host in base64 with a `$` at its end
 * (https://clerk.com/docs/deployments/clerk-environment-variables).
 */

const MAJOR = 5;

const own = document.querySelector("script[data-clerk]");
const key = own?.getAttribute("data-clerk") ?? "";
const place = document.querySelector("[data-clerk-sign-in]");

/** @param {string} publishable */
function hostOf(publishable) {
  const encoded = publishable.split("_").slice(2).join("_");
  return atob(encoded).replace(/\$$/, "");
}

/** @param {string} text */
function say(text) {
  const state = place?.querySelector("[data-clerk-state]");
  if (state) state.textContent = text;
}

/** @param {string} src */
function load(src) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = src;
    script.async = true;
    script.crossOrigin = "anonymous";
    script.dataset.clerkPublishableKey = key;
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => reject(new Error(`${src} did not load`)));
    document.head.append(script);
  });
}

async function start() {
  await load(`https://${hostOf(key)}/npm/@clerk/clerk-js@${MAJOR}/dist/clerk.browser.js`);
  const clerk = window.Clerk;
  await clerk.load();
  for (const button of document.querySelectorAll("[data-clerk-sign-out]")) {
    button.addEventListener("click", () => clerk.signOut({ redirectUrl: "/sign-in" }));
  }
  if (!(place instanceof HTMLElement)) return;
  // The server has checked that it is a path of this studio.
  const next = place.dataset.next || "/";
  if (clerk.session) {
    // Else the server would still see the old cookie, and send the browser back here.
    await clerk.session.getToken({ skipCache: true });
    location.replace(next);
    return;
  }
  place.replaceChildren();
  clerk.mountSignIn(place, { forceRedirectUrl: next, signUpForceRedirectUrl: next });
}

start().catch((problem) => {
  console.error(problem);
  say("The sign-in form could not be loaded. Look at the network, and whether something blocks scripts; then load the page again.");
});
