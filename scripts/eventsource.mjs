// What a front end of the seed does with a chat: open the event stream, show the text as it comes, and read the stored
// answer when its job has ended (seed plan §8.1).
//
//   node scripts/eventsource.mjs BASE_URL PROJECT_ID JOB_ID COOKIE
//
// Prints one line of JSON: {text, statuses, attempts, messages, connections, via}. Ends with 1 when the job has failed,
// and with 2 when nothing has come for a minute.
//
// `EventSource` where this Node has one that sends a cookie; else `fetch` and the parser below.

const [base, projectId, jobId, cookie] = process.argv.slice(2);
if (!cookie) {
  console.error("usage: node scripts/eventsource.mjs BASE_URL PROJECT_ID JOB_ID COOKIE");
  process.exit(2);
}
const GIVE_UP_MS = 60_000;
const ENDED = ["completed", "failed", "canceled"];
const project = `${base}/api/projects/${projectId}`;
const seen = { text: "", statuses: [], attempts: [], messages: [], connections: 0, via: "fetch" };

/** Take an event as the chat pane does: by the job's id and the type. Returns how the job has ended, once it has. */
function take(data) {
  if (data.job_id !== jobId) return null;
  if (seen.attempts.at(-1) !== data.attempt) {
    // A new attempt begins its answer anew.
    seen.attempts.push(data.attempt);
    seen.text = "";
  }
  if (data.type === "delta") seen.text += data.message;
  if (data.type === "status") {
    seen.statuses.push(data.message);
    if (ENDED.includes(data.message)) return data.message;
  }
  return null;
}

/** Yield {event, data, id} of a body's lines, as the standard wants it (WHATWG HTML §9.2.6), and what `retry` says. */
async function* frames(body, told) {
  const decoder = new TextDecoder();
  let rest = "";
  let event = "";
  let data = [];
  for await (const bytes of body) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (data.length > 0) yield { event: event || "message", data: data.join("\n") };
        event = "";
        data = [];
        continue;
      }
      const colon = line.indexOf(":");
      const name = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (name === "event") event = value;
      if (name === "data") data.push(value);
      if (name === "id") told.id = value;
      if (name === "retry" && /^\d+$/.test(value)) told.retry = Number(value);
    }
  }
}

/** Read by `fetch`; come back with the last id whenever the answer ends. Returns how the job has ended. */
async function byFetch() {
  const told = { id: "", retry: 3000 };
  for (;;) {
    try {
      const headers = { Accept: "text/event-stream", Cookie: cookie };
      if (told.id) headers["Last-Event-ID"] = told.id;
      const answer = await fetch(`${project}/events`, { headers });
      if (answer.status !== 200) throw new Error(`the stream is answered with ${answer.status}`);
      seen.connections += 1;
      for await (const frame of frames(answer.body, told)) {
        const ended = frame.event === "message" ? take(JSON.parse(frame.data)) : null;
        if (ended) return ended;
      }
    } catch (error) {
      // A connection that breaks is one to come back from; a refusal is not.
      if (error instanceof Error && error.message.startsWith("the stream is answered")) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, told.retry));
  }
}

/** Read by the platform's own `EventSource`, which comes back by itself. */
function bySource(Source) {
  seen.via = "EventSource";
  return new Promise((resolve, reject) => {
    const dispatcher = withCookie();
    // The second name is that of later versions.
    const source = new Source(`${project}/events`, { dispatcher, node: { dispatcher } });
    source.onopen = () => (seen.connections += 1);
    source.onmessage = (message) => {
      const ended = take(JSON.parse(message.data));
      if (ended) {
        source.close();
        resolve(ended);
      }
    };
    source.onerror = () => source.readyState === Source.CLOSED && reject(new Error("the stream is refused"));
  });
}

/** Return what dispatches requests for this Node, with the cookie on each: no browser is here that would send it. */
function withCookie() {
  const plain = globalThis[Symbol.for("undici.globalDispatcher.1")];
  return plain?.compose?.((dispatch) => (options, handler) => {
    const headers = Array.isArray(options.headers)
      ? [...options.headers, "cookie", cookie]
      : { ...options.headers, cookie };
    return dispatch({ ...options, headers }, handler);
  });
}

const alarm = setTimeout(() => {
  console.error("nothing has come for a minute");
  process.exit(2);
}, GIVE_UP_MS);
// The global dispatcher is there once something was fetched.
await fetch(`${base}/healthz`).then((answer) => answer.arrayBuffer());
const canSource = globalThis.EventSource && withCookie();
const ended = await (canSource ? bySource(globalThis.EventSource) : byFetch());
const chat = await fetch(`${project}/chat`, { headers: { Cookie: cookie } });
seen.messages = (await chat.json()).messages.map(({ role, content }) => ({ role, content }));
clearTimeout(alarm);
console.log(JSON.stringify(seen));
process.exit(ended === "completed" ? 0 : 1);
