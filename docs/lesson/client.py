import sys

import numpy as np
import tritonclient.grpc as triton

picture = np.array([open(sys.argv[1], "rb").read()], dtype=np.object_)
request = triton.InferInput("picture", [1], "BYTES")
request.set_data_from_numpy(picture)
answer = triton.InferenceServerClient("localhost:8081").infer("digits", [request])
print("digit", answer.as_numpy("digit")[0])
print("probability", answer.as_numpy("probabilities")[0].max())
