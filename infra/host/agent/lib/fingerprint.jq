# Of a configuration and its image: everything for which an enclave must be started anew. The image's key stands for
# all that is measured; names and places of fields are part of it, so that no two mean the same by chance.
def fingerprint($image):
  .spec | {cpuCount, memoryMiB, enclaveCid, enableDebug, workloadType, sourceType} + {image: $image.key} | tojson;
