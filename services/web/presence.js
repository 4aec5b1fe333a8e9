// The stream rests while nobody looks. A browser allows six connections to one host over HTTP/1.1, and each tab that
// listens holds one of them; so does a page that was left and is only kept for the way back.

const UNSEEN_MS = 30_000;

/** Let the stream rest and wake with the page; it resumes behind the last event that was seen. */
export function restUnseen(stream) {
  let timer = 0;
  addEventListener("pagehide", () => stream.stop());
  addEventListener("pageshow", (event) => event.persisted && stream.resume());
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(() => stream.stop(), UNSEEN_MS);
    else stream.resume();
  });
}
