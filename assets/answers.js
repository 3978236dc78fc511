// No answer is lost between two events. The server ends its stream of answers when nothing is asked any more; a question that
// is put while the word of that end is on its way finds the stream still open, waits on it, and would wait for ever. Here the
// stream goes on instead: while something waits for its answer, the word of the end is kept back and the next stream is joined on.
(() => {
  const ask = window.fetch.bind(window), pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const waiting = new Set(), early = new Set(); // events whose answer has not come; whose answer came before their name did
  let asking = 0; // questions on their way, of which nobody knows yet what their events are called

  const asked = async (...request) => {
    asking += 1;
    try {
      const response = await ask(...request);
      if (response.ok) {
        const {event_id: id} = await response.clone().json();
        if (!early.delete(id)) waiting.add(id);
      }
      return response;
    } finally {
      setTimeout(() => { asking -= 1; }, 100); // by then whoever asked has seen whether its stream is open
    }
  };
  const read = (message) => {
    try {
      return JSON.parse(message.replace(/^data: ?/, ''));
    } catch {
      return {};
    }
  };
  const answers = async (request, signal) => {
    const again = () => ask(new Request(request.clone(), {signal}));
    const first = await again();
    if (!first.ok || !first.body) return first;
    const pass = async (response, out) => { // one stream to its end; whether another has to follow
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = '';;) {
        const {value, done} = await reader.read();
        if (done) {
          if (text) out.enqueue(text);
          return false;
        }
        const messages = (text + value).split('\n\n');
        text = messages.pop();
        for (const message of messages) {
          const {msg, event_id: id} = read(message);
          if (msg === 'process_completed' && !waiting.delete(id)) early.add(id);
          if (msg === 'close_stream') {
            while (asking) await pause(20);
            if (waiting.size) return true;
          }
          out.enqueue(`${message}\n\n`);
        }
      }
    };
    const body = new ReadableStream({
      async start(out) {
        try {
          for (let response = first; await pass(response, out);) response = await again();
          out.close();
        } catch (error) {
          waiting.clear(); // what is asked after this starts anew
          out.error(error);
        }
      },
    });
    return new Response(body.pipeThrough(new TextEncoderStream()), {status: first.status, headers: first.headers});
  };
  window.fetch = (input, init) => {
    const path = new URL(input.url ?? input, location.href).pathname;
    if (path.endsWith('/queue/join')) return asked(input, init);
    if (path.endsWith('/queue/data') && input instanceof Request) return answers(input, input.signal);
    return ask(input, init);
  };
})();
