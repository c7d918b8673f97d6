/** Event streams as they come over the wire, in pieces of any size (HTML Living Standard §9.2.6). */

/** @typedef {{event: string, data: string, id: string}} Frame */

/** Turns pieces into frames. Comments, such as pings, are no frames. */
export class FrameReader {
  #decoder = new TextDecoder();
  #rest = "";
  /** @type {string[]} */
  #data = [];
  #event = "";
  #id = "";

  /**
   * Returns the frames that this piece completes.
   * @param {Uint8Array} piece
   * @returns {Frame[]}
   */
  push(piece) {
    const text = this.#rest + this.#decoder.decode(piece, { stream: true });
    // A CR at the very end may be the first half of a CR LF.
    const lines = text.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    /** @type {Frame[]} */
    const frames = [];
    for (const line of lines) {
      if (line === "") {
        if (this.#data.length) frames.push({ event: this.#event || "message", data: this.#data.join("\n"), id: this.#id });
        this.#data = [];
        this.#event = "";
      } else this.#field(line);
    }
    return frames;
  }

  /** @param {string} line */
  #field(line) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#event = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
  }
}
