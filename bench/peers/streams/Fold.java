import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;

import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.util.Utf8;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The fold on Kafka Streams: exactly_once_v2, the store in memory or in RocksDB, with a changelog.
 *
 * <p>Arguments: BOOTSTRAP GROUP INPUT OUTPUT STATE_DIR SCHEMAS memory|rocksdb
 *
 * <p>The fast idioms: decoder, encoder and records are reused, text stays Utf8, the store keeps
 * bytes, and no cache swallows outputs.
 */
public final class Fold implements Processor<byte[], byte[], byte[], byte[]> {
    private static final byte[] FRAME = {0, 0, 0, 0, 1};
    private static Schema event;
    private static Schema result;

    private final GenericDatumReader<GenericRecord> eventReader = new GenericDatumReader<>(event);
    private final GenericDatumReader<GenericRecord> resultReader = new GenericDatumReader<>(result);
    private final GenericDatumWriter<GenericRecord> writer = new GenericDatumWriter<>(result);
    private final int record = event.getField("record").pos();
    private final int occurredAt = event.getField("occurred_at").pos();
    private final int[] from = positions(event);
    private final int[] to = positions(result);
    private final int countAt = result.getField("count").pos();
    private final int latestAt = result.getField("occurred_at").pos();
    private final java.io.ByteArrayOutputStream out = new java.io.ByteArrayOutputStream(512);
    private BinaryDecoder decoder;
    private BinaryEncoder encoder;
    private GenericRecord said;
    private GenericRecord state;
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<Bytes, byte[]> store;

    private static int[] positions(Schema schema) {
        String[] names = {"type", "step", "occurred_at", "headline"};
        int[] found = new int[names.length];
        for (int i = 0; i < names.length; i++) {
            found[i] = schema.getField(names[i]).pos();
        }
        return found;
    }

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
        this.context = context;
        this.store = context.getStateStore("states");
    }

    @Override
    public void process(Record<byte[], byte[]> message) {
        try {
            byte[] value = message.value();
            decoder = DecoderFactory.get().binaryDecoder(value, 5, value.length - 5, decoder);
            said = eventReader.read(said, decoder);
            Bytes key = Bytes.wrap(message.key());
            byte[] known = store.get(key);
            long count = 1;
            boolean newer = true;
            if (known == null) {
                state = new GenericData.Record(result);
                state.put(result.getField("record").pos(), said.get(record));
            } else {
                decoder = DecoderFactory.get().binaryDecoder(known, 5, known.length - 5, decoder);
                state = resultReader.read(state, decoder);
                count = (Long) state.get(countAt) + 1;
                newer = (Long) said.get(occurredAt) >= (Long) state.get(latestAt);
            }
            state.put(countAt, count);
            if (newer) {
                for (int i = 0; i < from.length; i++) {
                    Object one = said.get(from[i]);
                    state.put(to[i], one instanceof Utf8 text ? new Utf8(text) : one);
                }
            }
            out.reset();
            out.write(FRAME);
            encoder = EncoderFactory.get().directBinaryEncoder(out, encoder);
            writer.write(state, encoder);
            encoder.flush();
            byte[] made = out.toByteArray();
            store.put(key, made);
            context.forward(message.withValue(made));
        } catch (java.io.IOException error) {
            throw new java.io.UncheckedIOException(error);
        }
    }

    public static void main(String[] args) throws Exception {
        event = new Schema.Parser().parse(Files.readString(Path.of(args[5], "event.avsc")));
        result = new Schema.Parser().parse(Files.readString(Path.of(args[5], "result.avsc")));
        GenericData.get().setFastReaderEnabled(true);

        Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, args[1]);
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        config.put("security.protocol", "SASL_PLAINTEXT");
        config.put("sasl.mechanism", "PLAIN");
        config.put("sasl.jaas.config", String.format(
            "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"%s\" password=\"%s\";",
            System.getenv("BENCH_USER"), System.getenv("BENCH_PASSWORD")));
        config.put(StreamsConfig.STATE_DIR_CONFIG, args[4]);
        config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        config.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        config.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
        config.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        config.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 5000);
        config.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 5);
        config.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 200_000);
        config.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 64 << 20);
        config.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");

        var supplier = args[6].equals("memory")
            ? Stores.inMemoryKeyValueStore("states") : Stores.persistentKeyValueStore("states");
        var store = Stores.keyValueStoreBuilder(supplier, Serdes.Bytes(), Serdes.ByteArray());
        StreamsBuilder builder = new StreamsBuilder();
        builder.addStateStore(store);
        builder.stream(args[2], Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
            .process(Fold::new, "states")
            .to(args[3], Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));

        KafkaStreams streams = new KafkaStreams(builder.build(), config);
        CountDownLatch done = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            streams.close(Duration.ofSeconds(10));
            done.countDown();
        }));
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        streams.start();
        done.await();
    }
}
