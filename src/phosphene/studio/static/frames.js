// Pictures of a camera or a photograph, as the server takes them.

export const pause = (time) => new Promise((done) => setTimeout(done, time));

export async function grab(source, width, part = 1) {  // part: the share of its width and height that is taken, from the middle
  const [wide, high] = [source.videoWidth ?? source.naturalWidth, source.videoHeight ?? source.naturalHeight];
  const height = Math.max(1, Math.round((width * high) / Math.max(1, wide)));
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const edge = (1 - part) / 2;
  canvas.getContext("2d").drawImage(source, wide * edge, high * edge, wide * part, high * part, 0, 0, width, height);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.85));
}

const AGAIN = 5000;  // milliseconds until a camera that is not there is tried again
const WHY = {
  NotAllowedError: "the browser does not allow it: allow the camera for this page",
  NotFoundError: "none is connected",
  NotReadableError: "another program uses it",
};

// Shows the camera in `video` whenever there is one, and tells why there is none, or "" when there is; returns what ends it.
export function openCamera(video, tell, wanted = {}) {
  let over = false, stream = null;
  const close = () => stream?.getTracks().forEach((each) => each.stop());
  const open = async () => {
    if (!navigator.mediaDevices) throw new Error("browsers give it to HTTPS addresses and to this machine only");
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480, ...wanted } });
    if (over) return close();
    video.srcObject = stream;
    await video.play();
    tell("");
    await new Promise((ended) => stream.getVideoTracks()[0].addEventListener("ended", ended));
    throw new Error("it has stopped");
  };
  const follow = async () => {
    while (!over) {
      await open().catch((problem) => over || tell(`There is no picture of a camera (${WHY[problem.name] ?? problem.message}): tried again every 5 s.`));
      video.srcObject = null;
      await pause(AGAIN);
    }
  };
  follow();
  return () => { over = true; close(); };
}
