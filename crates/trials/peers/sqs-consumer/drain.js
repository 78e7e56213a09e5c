// Workers on sqs-consumer whose handlers do nothing, as its documentation writes them.
//
// Usage: node drain.js single|batch CONSUMERS, with QUEUE_URL and the usual variables of the SDK.
import { SQSClient } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";

const [way, consumers] = process.argv.slice(2);
const queueUrl = process.env.QUEUE_URL;
const sqs = new SQSClient({});
const handlers = {
  // One message for each request, handled and deleted before the next one.
  single: { handleMessage: async (message) => message },
  // Ten messages for each request, deleted with one request.
  batch: { batchSize: 10, handleMessageBatch: async (messages) => messages },
};

for (let started = 0; started < Number(consumers); started += 1) {
  const consumer = Consumer.create({ queueUrl, sqs, ...handlers[way] });
  for (const problem of ["error", "processing_error"]) {
    consumer.on(problem, (error) => console.error(error.message));
  }
  consumer.start();
}
