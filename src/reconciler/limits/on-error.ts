/** Error hook: a port that behaves as before and reports its errors. */

type Method = (...parameters: unknown[]) => unknown;

/** The same port; every error of a call or of a stream of pages is told to `onError` as well, and thrown as before. */
export function withErrorHook<T extends object>(port: T, onError: (error: unknown) => void): T {
  // Made once a method: a port is called several times a reconcile.
  const methods = new Map<PropertyKey, Method>();
  return new Proxy(port, {
    get(target, name) {
      const known = methods.get(name);
      if (known !== undefined) return known;
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      const method: Method = (...parameters) => heard(Reflect.apply(value, target, parameters), onError);
      methods.set(name, method);
      return method;
    },
  });
}

function heard(answer: unknown, onError: (error: unknown) => void): unknown {
  if (answer instanceof Promise) {
    answer.then(undefined, onError);
    return answer;
  }
  return isPages(answer) ? heardPages(answer, onError) : answer;
}

function isPages(answer: unknown): answer is AsyncIterable<unknown> {
  return typeof answer === 'object' && answer !== null && Symbol.asyncIterator in answer;
}

async function* heardPages(pages: AsyncIterable<unknown>, onError: (error: unknown) => void): AsyncIterable<unknown> {
  try {
    yield* pages;
  } catch (error) {
    onError(error);
    throw error;
  }
}
