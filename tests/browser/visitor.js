// Send the kernel what a visitor's browser could, then a request that is allowed; give the types of all that was answered.
async ({ kernel, code, protocol }) => {
  const socket = new WebSocket(`ws://${location.host}/api/kernels/${kernel}/channels?session_id=visitor`, protocol ? [protocol] : []);
  socket.binaryType = "arraybuffer";
  const content = { code, silent: false, store_history: false, user_expressions: { x: code }, allow_stdin: false, stop_on_error: false };
  const requests = ["execute_request", "inspect_request", "complete_request", "history_request", "debug_request"]
    .flatMap(type => [["shell", type], ["control", type]]);
  const messages = [...requests, ["control", "create_subshell_request"], ["shell", "kernel_info_request"]].map(([channel, type], index) => ({
    channel,
    header: { msg_id: `visitor-${index}`, msg_type: type, session: "visitor", username: "", version: "5.3", date: new Date().toISOString() },
    parent_header: {}, metadata: {}, content: { ...content, cursor_pos: 4, detail_level: 0 }, buffers: [],
  }));

  const binary = message => {
    const parts = [message.channel, ...["header", "parent_header", "metadata", "content"].map(part => JSON.stringify(message[part]))]
      .map(part => new TextEncoder().encode(part));
    const offsets = [8 * (parts.length + 2)];
    for (const part of parts) offsets.push(offsets.at(-1) + part.length);
    const sent = new Uint8Array(offsets.at(-1));
    const view = new DataView(sent.buffer);
    [offsets.length, ...offsets].forEach((number, index) => view.setBigUint64(8 * index, BigInt(number), true));
    parts.forEach((part, index) => sent.set(part, offsets[index]));
    return sent;
  };
  const header = data => {
    if (typeof data === "string") return JSON.parse(data).header;
    const view = new DataView(data);
    const offset = index => Number(view.getBigUint64(8 * (index + 1), true));
    return JSON.parse(new TextDecoder().decode(data.slice(offset(1), offset(2))));
  };

  const answered = [];
  await new Promise((resolve, reject) => {
    socket.onerror = () => reject(new Error("no connection"));
    socket.onopen = () => messages.forEach(message => socket.send(protocol ? binary(message) : JSON.stringify(message)));
    socket.onmessage = ({ data }) => {
      const type = header(data).msg_type;
      if (type.endsWith("_reply")) answered.push(type);
      if (type === "kernel_info_reply") setTimeout(resolve, 500);
    };
    setTimeout(() => reject(new Error("no answer")), 10000);
  });
  socket.close();
  return answered;
}
