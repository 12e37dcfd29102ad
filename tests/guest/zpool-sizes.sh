#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Every size, stored, mapped in each mode, verified, freed in several orders.
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"

sizes() { # ORDER COPIES
	zt sizes "type=$TYPE" "order=$1" "copies=$2" "step=$size_step" "seed=$SEED" "settle=$settle"
}

tap_begin
tap_case "sizes that cannot be stored are refused, the others are not" \
	zt errors "type=$TYPE" "settle=$settle"
tap_case "every size, freed in the order of storing" sizes forward 2
tap_case "every size, freed in reverse" sizes reverse 2
tap_case "every size, freed at random" sizes random 4
tap_case "every size, every seventh freed first" sizes stride 2
tap_case "every size, whole zspages freed first" sizes whole 8
tap_end
